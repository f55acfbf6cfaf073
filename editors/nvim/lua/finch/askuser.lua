--- Puts the questions that the model has to the user, and says who asks. Each waits until the user
--- rests in Normal mode, since Neovim's own prompts take whatever is typed.

local attention = require('finch.attention')

local M = {}

local other = 'Something else…'

---@param prompt string
---@param answered fun(answer: string?)
local function in_words(prompt, answered)
  vim.ui.input({ prompt = prompt .. ' ' }, answered)
end

---@param prompt string
---@param options string[]
---@param chosen string[] what was chosen before
---@param answered fun(answer: string?)
local function one_by_one(prompt, options, chosen, answered)
  local left = vim.tbl_filter(function(option)
    return not vim.tbl_contains(chosen, option)
  end, options)
  table.insert(left, 1, 'That is all')
  local so_far = #chosen > 0 and (' (so far: %s)'):format(table.concat(chosen, ', ')) or ''
  vim.ui.select(left, { prompt = prompt .. so_far }, function(option, at)
    if not option then
      return answered(nil)
    elseif at == 1 then
      return answered(table.concat(chosen, ', '))
    end
    chosen[#chosen + 1] = option
    one_by_one(prompt, options, chosen, answered)
  end)
end

---@param question {text: string, options?: string[], several?: boolean}
---@param answered fun(answer: string?)
local function one(question, answered)
  local prompt = 'finch, the model asks: ' .. question.text:gsub('%c', ' ')
  local options = type(question.options) == 'table' and question.options or {}
  if #options == 0 then
    return in_words(prompt, answered)
  elseif question.several == true then
    return one_by_one(prompt, options, {}, answered)
  end
  local all = vim.list_extend(vim.deepcopy(options), { other })
  vim.ui.select(all, { prompt = prompt }, function(option, at)
    if option and at == #all then
      return in_words(prompt, answered)
    end
    answered(option)
  end)
end

--- Handles `finch/askUser`: calls `reply` with one answer for each question, or vim.NIL when the user
--- breaks off.
---@param questions table[]
---@param reply fun(result: any)
function M.ask(questions, reply)
  local answers = {}
  local function next_one()
    local question = questions[#answers + 1]
    if not question then
      return reply({ answers = answers })
    end
    attention.when_free(function()
      one(question, function(answer)
        if answer == nil then
          return reply(vim.NIL)
        end
        answers[#answers + 1] = answer
        next_one()
      end)
    end)
  end
  next_one()
end

return M

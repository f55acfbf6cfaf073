--- How a question before an effect is shown, and which key gives which answer. The effect is plain
--- text and never cut. Nothing here opens a window.

local M = {}

local keys = { no = 'd', once = 'o', session = 's', always = 'a', like = 'l' }

---@class finch.Question the parameters of `finch/approve`
---@field turn string
---@field id string|integer
---@field title string
---@field effect string
---@field why string
---@field choices {id: string, label: string}[] the first is the refusal

---@class finch.Key
---@field key string
---@field label string
---@field choice string
---@field asks_reason? boolean

--- The keys that answer.
---@param question finch.Question
---@return finch.Key[]
function M.keys(question)
  local found, refusal = {}, 'no'
  for at, choice in ipairs(question.choices) do
    if at == 1 then
      refusal = choice.id
    end
    local key = at == 1 and keys.no or keys[choice.id] or tostring(at)
    found[#found + 1] = { key = key, label = choice.label, choice = choice.id }
  end
  table.insert(found, 2, { key = 'r', label = 'Deny with a reason', choice = refusal, asks_reason = true })
  return found
end

--- The lines of the window: what can be pressed, why it is asked, and the whole effect.
---@param question finch.Question
---@return string[]
function M.lines(question)
  local lines = {}
  for _, key in ipairs(M.keys(question)) do
    lines[#lines + 1] = ('  %s  %s'):format(key.key, (key.label:gsub('%c', ' ')))
  end
  vim.list_extend(lines, { '  q, <Esc>  Deny', '' })
  vim.list_extend(lines, vim.split(question.why, '\n', { plain = true }))
  lines[#lines + 1] = ''
  vim.list_extend(lines, vim.split(question.effect, '\n', { plain = true }))
  return lines
end

--- The name of the syntax that colours the effect.
---@param question finch.Question
---@return string
function M.syntax(question)
  if ('\n' .. question.effect):find('\n@@ ') or ('\n' .. question.effect):find('\n%+%+%+ ') then
    return 'diff'
  end
  return vim.startswith(question.effect, 'Run ') and 'sh' or ''
end

--- The answer to exactly this question.
---@param question finch.Question
---@param choice string
---@param reason? string
---@return table
function M.answer(question, choice, reason)
  return { id = question.id, choice = choice, reason = reason ~= '' and reason or nil }
end

return M

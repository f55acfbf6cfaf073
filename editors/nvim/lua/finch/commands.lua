--- `:Finch` and its words. Each word calls the module that does the work.

local M = {}

local function show_status()
  vim.notify(table.concat(require('finch.status').lines(), '\n'))
end

local function show_log()
  -- The server writes its log to stderr, which Neovim collects here.
  local file = vim.lsp.log and vim.lsp.log.get_filename or require('vim.lsp.log').get_filename
  vim.cmd.split(vim.fn.fnameescape(file()))
  vim.bo.modifiable = false
  vim.cmd.normal({ 'G', bang = true })
end

---@param verdict 'good'|'bad'
local function feedback(verdict)
  return function(note, bang)
    require('finch.feedback').say(verdict, { minor = bang, note = note ~= '' and note or nil })
  end
end

-- Words that take the rest of the line.
local notes = { good = feedback('good'), bad = feedback('bad') }

local words = {
  status = show_status,
  why = function()
    require('finch.why').show()
  end,
  toggle = function()
    local on = require('finch.suggestion').toggle()
    vim.notify('finch: ghost text is ' .. (on and 'on' or 'off'))
  end,
  restart = function()
    require('finch.server').restart()
  end,
  log = show_log,
  turns = function()
    require('finch.turns').show()
  end,
  answer = function()
    if not require('finch.approve').focus() then
      vim.notify('finch: there is no question')
    end
  end,
}

-- Words for the agent: each is a function of `finch.tasks`, and whether the rest of the line is its text.
local tasks = {
  plan = true,
  ask = true,
  edit = true,
  resume = true,
  explain = false,
  fix = false,
  test = false,
  document = false,
  undo = false,
  stop = false,
  choose = false,
}

---@param word string
---@return boolean
local function takes_text(word)
  return notes[word] ~= nil or tasks[word] == true
end

---@class finch.Command
---@field args string[]
---@field bang? boolean
---@field first? integer the range of lines that was given
---@field last? integer

--- Run the command.
---@param command finch.Command
function M.run(command)
  local word, text = command.args[1] or 'status', table.concat(command.args, ' ', 2)
  if not vim.tbl_contains(M.complete(word, 'Finch '), word) or (text ~= '' and not takes_text(word)) then
    vim.notify(('finch: no command "%s"; there are %s'):format(
      table.concat(command.args, ' '), table.concat(M.complete('', 'Finch '), ', ')
    ), vim.log.levels.ERROR)
  elseif not require('finch.config').is_set() then
    vim.notify("finch: call require('finch').setup() in your configuration first", vim.log.levels.ERROR)
  elseif tasks[word] ~= nil then
    require('finch.tasks')[word]({ text = text, first = command.first, last = command.last })
  elseif notes[word] then
    notes[word](text, command.bang)
  else
    words[word]()
  end
end

--- The words that may follow.
---@param lead string
---@param line string the command line so far
---@return string[]
function M.complete(lead, line)
  if line:find('Finch%s+%S+%s') then
    return {}
  end
  local all = vim.tbl_keys(vim.tbl_extend('error', words, notes, tasks))
  local matches = vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, all)
  table.sort(matches)
  return matches
end

return M

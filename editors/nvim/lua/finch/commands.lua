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
  good = notes.good,
  bad = notes.bad,
  explain = function()
    require('finch.explain').show()
  end,
  toggle = function()
    local on = require('finch.suggestion').toggle()
    vim.notify('finch: ghost text is ' .. (on and 'on' or 'off'))
  end,
  restart = function()
    require('finch.server').restart()
  end,
  log = show_log,
}

--- Run the command.
---@param args string[]
---@param bang? boolean
function M.run(args, bang)
  local word = args[1] or 'status'
  local action = words[word]
  if not action or (#args > 1 and not notes[word]) then
    vim.notify(('finch: no command "%s"; there are %s'):format(
      table.concat(args, ' '), table.concat(M.complete('', 'Finch '), ', ')
    ), vim.log.levels.ERROR)
  elseif not require('finch.config').is_set() then
    vim.notify("finch: call require('finch').setup() in your configuration first", vim.log.levels.ERROR)
  else
    action(table.concat(args, ' ', 2), bang)
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
  local matches = vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, vim.tbl_keys(words))
  table.sort(matches)
  return matches
end

return M

--- What a user's configuration may call: `setup`, `status`, `text`, `toggle`, `restart`, `why`,
--- `feedback`, `plan` and `ask`.
--- It only joins the other modules; each of them answers one question of its own.

local M = {}

--- Start finch for every normal file buffer, those already open included.
---@param options? table see |finch-options|
function M.setup(options)
  if vim.fn.has('nvim-0.10') == 0 then
    vim.notify('finch: needs Neovim 0.10 or newer', vim.log.levels.ERROR)
    return
  end
  require('finch.config').set(options)
  require('finch.ghost').define_highlights()
  require('finch.server').watch_buffers()
end

--- One short line for the status line: what finch is doing, or an empty string before setup.
---@return string
function M.status()
  return require('finch.status').text()
end

--- The ghost text on the screen of the current window, or nil. For mappings of your own.
---@return string?
function M.text()
  local offer = require('finch.suggestion').current()
  return offer and require('finch.offer').rest(offer)
end

--- Switch ghost text on or off in every buffer. The server keeps running.
---@return boolean enabled whether ghost text is on now
function M.toggle()
  return require('finch.suggestion').toggle()
end

--- Stop the server and start it again for the buffers it served.
function M.restart()
  require('finch.server').restart()
end

--- Say that the last suggestion was 'good' or 'bad'.
---@param verdict 'good'|'bad'
---@param options? { minor?: boolean, note?: string }
function M.feedback(verdict, options)
  require('finch.feedback').say(verdict, options)
end

--- Ask the server why it showed no ghost text last time, and show the answer.
function M.why()
  require('finch.why').show()
end

--- Have a task planned.
---@param task string
function M.plan(task)
  require('finch.tasks').plan({ text = task })
end

--- Ask a question about the code at the cursor.
---@param question string
function M.ask(question)
  require('finch.tasks').ask({ text = question })
end

return M

--- What the user says a suggestion was worth: told to the server, which records it against the last
--- one that was on the screen. Says so when it is recorded, and why when it is not.

local clients = require('finch.client')

local M = {}

---@param verdict 'good'|'bad'
---@param options? { minor?: boolean, note?: string }
function M.say(verdict, options)
  options = options or {}
  local client = clients.of(0)
  if not client then
    vim.notify('finch: no server is attached to this buffer (see :checkhealth finch)', vim.log.levels.WARN)
    return
  end
  local minor = verdict == 'bad' and options.minor or nil
  local params = { verdict = verdict, minor = minor, note = options.note }
  clients.request(client, 'finch/feedback', params, function(err, answer)
    if err then
      vim.notify('finch: not recorded: ' .. (err.message or vim.inspect(err)), vim.log.levels.ERROR)
    elseif type(answer) ~= 'table' or answer.recorded ~= true then
      vim.notify('finch: not recorded: the server does not know feedback', vim.log.levels.ERROR)
    else
      vim.notify(('finch: recorded as %s%s'):format(verdict, minor and ', minor' or ''))
    end
  end, 0)
end

return M

--- What the server last said about itself (`finch/status`), as a line for people. It keeps the words
--- of every client and raises `User FinchStatus` when they change.

local M = {}

local latest = {} ---@type table<integer, table> by client id
local ended ---@type string? why the last server ended

--- Tell whoever draws a status line.
function M.announce()
  vim.api.nvim_exec_autocmds('User', { pattern = 'FinchStatus' })
  vim.cmd.redrawstatus({ bang = true })
end

-- States in which there will be no suggestion until the user does something.
local stuck = { absent = 'there is no model', failed = 'the model failed' }

---@param params table
local function warn(params)
  local parts = { params.error or stuck[params.state], params.next }
  vim.notify('finch: ' .. table.concat(parts, '; '), vim.log.levels.WARN)
end

--- Handles the notification.
---@param params table
---@param client_id integer
function M.receive(params, client_id)
  if type(params) ~= 'table' then
    return
  end
  local previous = latest[client_id]
  latest[client_id] = params
  ended = nil
  if stuck[params.state] and not (previous and previous.state == params.state) then
    warn(params)
  end
  M.announce()
end

--- A server has gone.
---@param client_id integer
---@param why? string unless it was asked to go
function M.gone(client_id, why)
  latest[client_id] = nil
  ended = why
  M.announce()
end

--- The newest words of the server of a buffer, or of any server.
---@param buf? integer
---@return table?
function M.latest(buf)
  local client = require('finch.client').of(buf or 0)
    or vim.lsp.get_clients({ name = 'finch' })[1]
  return client and (latest[client.id] or { state = 'starting' })
end

---@param params table
---@return string
local function progress(params)
  if type(params.done) == 'number' and type(params.total) == 'number' and params.total > 0 then
    return (' %d%%'):format(math.floor(100 * params.done / params.total))
  end
  return ''
end

--- One line: "finch qwen2.5-coder-0.5b", "finch downloading 42%", "finch off", "finch failed"; while the
--- agent works what it does, and while it asks that it does.
---@return string
function M.text()
  if not require('finch.config').is_set() then
    return ''
  end
  if require('finch.approve').count() > 0 then
    return 'finch asks (:Finch answer)'
  end
  local doing = require('finch.turns').text()
  if doing then
    return doing
  end
  if not require('finch.suggestion').enabled() then
    return 'finch off'
  end
  local params = M.latest()
  if not params then
    return ended and ('finch ' .. ended) or 'finch stopped'
  end
  local answered = type(params.answered) == 'table' and params.answered
  if answered and answered.provider ~= params.provider then
    return ('finch %s %s'):format(answered.provider, answered.model)
  end
  if params.state == 'ready' then
    return 'finch ' .. (params.model or 'ready')
  end
  if params.state == 'absent' then
    return 'finch has no model'
  end
  return 'finch ' .. tostring(params.state) .. progress(params)
end

--- All the server said, one fact a line.
---@return string[]
function M.lines()
  local params = M.latest()
  local lines = { M.text() }
  for _, name in ipairs({ 'provider', 'reason', 'file', 'error', 'next' }) do
    if params and params[name] ~= nil and params[name] ~= vim.NIL then
      lines[#lines + 1] = ('  %s: %s'):format(name, tostring(params[name]))
    end
  end
  local answered = params and type(params.answered) == 'table' and params.answered
  if answered then
    lines[#lines + 1] = ('  answered: %s %s'):format(answered.provider, answered.model)
    if type(answered.instead_of) == 'string' then
      lines[#lines + 1] = '  instead of: ' .. answered.instead_of
    end
  end
  local left = params and type(params.left) == 'table' and params.left
  if left then
    lines[#lines + 1] = ('  left this machine today: %d requests, %d bytes'):format(left.requests, left.bytes)
  end
  return lines
end

return M

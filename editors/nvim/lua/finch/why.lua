--- "Why was there no suggestion?": asks the server about the last time and shows what it says, the
--- sentence first and the facts below it.

local clients = require('finch.client')

local M = {}

---@param value any
---@return string
local function short(value)
  if type(value) ~= 'table' then
    return tostring(value)
  end
  local parts = {}
  for name, part in vim.spairs(value) do
    parts[#parts + 1] = ('%s %s'):format(name, type(part) == 'number' and ('%g'):format(part) or tostring(part))
  end
  return table.concat(parts, ', ')
end

--- The answer to `finch/explainLast` in words.
---@param answer table
---@return string
function M.text(answer)
  local lines = { answer.message }
  for name, value in vim.spairs(answer) do
    if name ~= 'message' and value ~= vim.NIL and value ~= '' then
      lines[#lines + 1] = ('  %s: %s'):format(name, short(value))
    end
  end
  return table.concat(lines, '\n')
end

--- Ask, and show what the server says.
function M.show()
  local client = clients.of(0)
  if not client then
    vim.notify('finch: no server is attached to this buffer (see :checkhealth finch)', vim.log.levels.WARN)
    return
  end
  clients.request(client, 'finch/explainLast', vim.empty_dict(), function(err, answer)
    if err then
      vim.notify('finch: ' .. (err.message or vim.inspect(err)), vim.log.levels.ERROR)
    elseif type(answer) ~= 'table' or type(answer.message) ~= 'string' then
      vim.notify('finch: the server gave no explanation', vim.log.levels.WARN)
    else
      vim.notify('finch: ' .. M.text(answer), vim.log.levels.INFO)
    end
  end, 0)
end

return M

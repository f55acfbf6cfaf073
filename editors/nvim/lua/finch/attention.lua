--- When the user can be asked something: in Normal mode, and not in the middle of typing. A question
--- that pops up must never take a key for an answer that was meant for the text.

local M = {}

-- How long no key may have been pressed.
M.pause_ms = 500
-- How often it is looked.
local poll_ms = 100

local last_key = 0 ---@type number
local namespace = vim.api.nvim_create_namespace('finch.attention')
local waiting = 0

local function watch()
  waiting = waiting + 1
  last_key = vim.uv.now()
  vim.on_key(function()
    last_key = vim.uv.now()
  end, namespace)
end

local function unwatch()
  waiting = waiting - 1
  if waiting == 0 then
    vim.on_key(nil, namespace)
  end
end

---@return boolean
local function is_free()
  return vim.api.nvim_get_mode().mode == 'n' and vim.uv.now() - last_key >= M.pause_ms
end

--- Call `action` once the user rests in Normal mode.
---@param action fun()
---@return fun() cancel
function M.when_free(action)
  local timer = assert(vim.uv.new_timer())
  local over = false
  watch()
  local function stop()
    if not over then
      over = true
      timer:stop()
      timer:close()
      unwatch()
    end
  end
  timer:start(poll_ms, poll_ms, vim.schedule_wrap(function()
    if not over and is_free() then
      stop()
      action()
    end
  end))
  return stop
end

return M

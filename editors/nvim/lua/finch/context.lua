--- Tells the server what the editor's other language servers know around a buffer: what is wrong in
--- it, and what the names near the cursor mean. It waits until the user rests, and never makes the
--- user wait.

local clients = require('finch.client')
local config = require('finch.config')
local definitions = require('finch.definitions')
local suggestion = require('finch.suggestion')
local surroundings = require('finch.surroundings')

local M = {}

-- How long diagnostics must stand still, and how long the cursor must rest.
local diagnostics_pause_ms, rest_ms = 300, 400

---@class finch.Telling
---@field told table<string, table> what the server was told last
---@field timers table<string, uv.uv_timer_t>
---@field cancel? fun() ends the look-up that runs

local tellings = {} ---@type table<integer, finch.Telling>

---@param telling finch.Telling
---@param name string
local function stop(telling, name)
  local timer = telling.timers[name]
  telling.timers[name] = nil
  if timer and not timer:is_closing() then
    timer:stop()
    timer:close()
  end
end

---@param telling finch.Telling
---@param name string
---@param pause_ms integer
---@param action fun()
local function after_pause(telling, name, pause_ms, action)
  stop(telling, name)
  telling.timers[name] = vim.defer_fn(function()
    telling.timers[name] = nil
    action()
  end, pause_ms)
end

--- Tell the server what differs from what it was told before.
---@param buf integer
---@param kind 'diagnostics'|'definitions'
---@param list table[]
local function news(buf, kind, list)
  local telling, client = tellings[buf], clients.of(buf)
  -- Who was told nothing knows of nothing.
  if telling and client and not vim.deep_equal(telling.told[kind] or {}, list) then
    telling.told[kind] = list
    clients.notify(client, 'finch/context', { uri = vim.uri_from_bufnr(buf), [kind] = list })
  end
end

---@param buf integer
local function tell_diagnostics(buf)
  if not vim.api.nvim_buf_is_loaded(buf) or #vim.fn.win_findbuf(buf) == 0 then
    return
  end
  news(buf, 'diagnostics', surroundings.diagnostics_of(vim.diagnostic.get(buf)))
end

---@param buf integer
local function tell_definitions(buf)
  local telling = tellings[buf]
  local inserting = vim.api.nvim_get_current_buf() == buf and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
  if not telling or not inserting or not suggestion.enabled() then
    return
  end
  local at = vim.api.nvim_win_get_cursor(0)
  local row = at[1] - 1
  local first = math.max(0, row - surroundings.lines_above)
  local lines = vim.api.nvim_buf_get_lines(buf, first, row + 1, false)
  telling.cancel = definitions.find(buf, surroundings.names_near(lines, first, at[2]), function(found)
    news(buf, 'definitions', surroundings.definitions_of(found, vim.uri_from_bufnr(buf), row))
  end)
end

--- The user does something: what is being looked up is of no use any more.
---@param telling finch.Telling
local function break_off(telling)
  stop(telling, 'rest')
  if telling.cancel then
    telling.cancel()
    telling.cancel = nil
  end
end

---@param buf integer
---@param group integer
local function watch_diagnostics(buf, group)
  local function soon()
    local telling = tellings[buf]
    if telling then
      after_pause(telling, 'diagnostics', diagnostics_pause_ms, function()
        tell_diagnostics(buf)
      end)
    end
  end
  vim.api.nvim_create_autocmd({ 'DiagnosticChanged', 'BufWinEnter' }, { group = group, buffer = buf, callback = soon })
  soon()
end

---@param buf integer
---@param group integer
local function watch_cursor(buf, group)
  vim.api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, {
    group = group,
    buffer = buf,
    callback = function()
      local telling = tellings[buf]
      if telling then
        break_off(telling)
        after_pause(telling, 'rest', rest_ms, function()
          tell_definitions(buf)
        end)
      end
    end,
  })
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = group,
    buffer = buf,
    callback = function()
      if tellings[buf] then
        break_off(tellings[buf])
      end
    end,
  })
end

-- Any buffer may hold a definition, whether or not finch serves it.
local function watch_changes()
  local group = vim.api.nvim_create_augroup('finch.context', { clear = true })
  vim.api.nvim_create_autocmd(
    { 'TextChanged', 'TextChangedI', 'TextChangedP', 'BufReadPost', 'BufWritePost', 'BufUnload' },
    {
      group = group,
      desc = 'finch: forget definitions that may have changed',
      callback = function(args)
        definitions.forget(vim.uri_from_bufnr(args.buf))
      end,
    }
  )
  vim.api.nvim_create_autocmd('FocusGained', {
    group = group,
    callback = function()
      definitions.forget()
    end,
  })
end

--- Tell the server of a buffer that it has begun to serve.
---@param buf integer
function M.attach(buf)
  M.detach(buf)
  local wanted = config.get().context
  if not wanted.definitions and not wanted.diagnostics then
    return
  end
  tellings[buf] = { told = {}, timers = {} }
  local group = vim.api.nvim_create_augroup('finch.context.' .. buf, { clear = true })
  if wanted.diagnostics then
    watch_diagnostics(buf, group)
  end
  if wanted.definitions then
    watch_cursor(buf, group)
    watch_changes()
  end
  vim.api.nvim_create_autocmd('BufUnload', {
    group = group,
    buffer = buf,
    callback = function()
      M.detach(buf)
    end,
  })
end

---@param buf integer
function M.detach(buf)
  local telling = tellings[buf]
  tellings[buf] = nil
  if telling then
    break_off(telling)
    stop(telling, 'diagnostics')
    pcall(vim.api.nvim_del_augroup_by_name, 'finch.context.' .. buf)
  end
end

return M

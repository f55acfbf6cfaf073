--- Asks the server for inline completion itself: after a pause in typing where Neovim has nothing
--- of the kind (0.10, 0.11), and everywhere when the user asks for more suggestions, which Neovim's
--- own client never does. The answer is shown only if nothing has been typed since that it denies.

local answers = require('finch.answers')
local clients = require('finch.client')
local config = require('finch.config')
local encoding = require('finch.encoding')
local ghost = require('finch.ghost')

local M = {}

local method = 'textDocument/inlineCompletion'
local invoked, automatic = 1, 2

local timers = {} ---@type table<integer, uv.uv_timer_t>

---@param buf integer
local function in_insert_mode(buf)
  return vim.api.nvim_get_current_buf() == buf and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

---@param buf integer
---@param trigger integer
local function ask(buf, trigger)
  local client = clients.of(buf)
  if not client or not client.server_capabilities.inlineCompletionProvider or not in_insert_mode(buf) then
    return
  end
  local cursor = answers.cursor(buf)
  local before = vim.api.nvim_get_current_line():sub(1, cursor.col)
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(buf),
    -- Not by `make_position_params`, which miscounts beside characters outside the BMP on 0.10.
    position = { line = cursor.row, character = encoding.units(before, client.offset_encoding) },
    context = { triggerKind = trigger },
  }
  local function on_result(err, result)
    if err or not result or not in_insert_mode(buf) then
      return
    end
    local list = answers.offers(buf)
    -- A question the user put and that found nothing must not wipe out what is there.
    if #list > 0 or trigger == automatic then
      ghost.show(buf, list)
    end
  end
  clients.request(client, method, params, on_result, buf)
end

---@param buf integer
function M.stop(buf)
  local timer = timers[buf]
  timers[buf] = nil
  if timer and not timer:is_closing() then
    timer:stop()
    timer:close()
  end
end

--- Ask once typing has paused, unless what is shown already continues the text.
---@param buf integer
function M.after_pause(buf)
  M.stop(buf)
  if ghost.current(buf) then
    return
  end
  timers[buf] = vim.defer_fn(function()
    timers[buf] = nil
    if not ghost.current(buf) then
      ask(buf, automatic)
    end
  end, config.get().debounce_ms)
end

--- Ask at once, for as many suggestions as the server likes to make.
---@param buf integer
function M.now(buf)
  M.stop(buf)
  ask(buf, invoked)
end

return M

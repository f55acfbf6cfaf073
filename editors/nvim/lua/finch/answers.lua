--- Stands between the editor's LSP client and the server's process and watches inline completion
--- requests go by. It cancels a question that a newer one has overtaken, lets through only answers
--- that fit the text as it is now, and remembers the newest, because Neovim 0.12 shows suggestions
--- without telling anybody which. The two ways of drawing ghost text share it.

local offer = require('finch.offer')

local M = {}

local method = 'textDocument/inlineCompletion'

---@class finch.Answer
---@field client_id integer
---@field asked finch.Asked
---@field items table[] lsp.InlineCompletionItem, those that fit
---@field index integer the one shown

local newest = {} ---@type table<integer, finch.Answer>
local on_answer = function(_, _) end ---@type fun(buf: integer, automatic: boolean)

--- Where the cursor is in the current window, 0-based, if it shows `buf`.
---@param buf integer
---@return {row: integer, col: integer}?
function M.cursor(buf)
  if vim.api.nvim_get_current_buf() ~= buf then
    return nil
  end
  local at = vim.api.nvim_win_get_cursor(0)
  return { row = at[1] - 1, col = at[2] }
end

--- The newest answer for a buffer, as far as it was let through.
---@param buf integer
---@return finch.Answer?
function M.newest(buf)
  return newest[buf]
end

--- The offers the newest answer still makes, in the server's order.
---@param buf integer
---@return finch.Offer[]
function M.offers(buf)
  local answer, cursor = newest[buf], M.cursor(buf)
  local offers = {}
  for _, item in ipairs(answer and cursor and answer.items or {}) do
    local placed = offer.place(buf, answer.client_id, item, answer.asked, cursor)
    offers[#offers + 1] = placed
  end
  return offers
end

---@param buf integer
function M.forget(buf)
  newest[buf] = nil
end

--- Call `hook(buf, automatic)` after an answer has reached whoever asked.
---@param hook fun(buf: integer, automatic: boolean)
function M.on_answer(hook)
  on_answer = hook
end

--- What the client gets to see instead of `result`: a list, and only of what fits.
---@param buf integer
---@param session table
---@param asked finch.Asked
---@param result any
local function keep_fitting(buf, session, asked, result)
  local items, fitting = type(result) == 'table' and (result.items or result) or {}, {}
  local cursor = M.cursor(buf)
  for _, item in ipairs(cursor and items or {}) do
    if offer.place(buf, session.client_id, item, asked, cursor) then
      fitting[#fitting + 1] = item
    end
  end
  newest[buf] = { client_id = session.client_id, asked = asked, items = fitting, index = 1 }
  return { items = fitting }
end

--- The server's connection with inline completion watched.
---@param rpc table vim.lsp.rpc.PublicClient
---@param session {client_id?: integer, encoding?: string} filled in once the server has answered `initialize`
---@return table rpc
function M.watch(rpc, session)
  local last_id = {} ---@type table<integer, integer> the request in flight, by buffer
  local turn = {} ---@type table<integer, integer>

  local function ask(params, callback, on_reply)
    local buf = vim.uri_to_bufnr(params.textDocument.uri)
    local position = params.position
    local asked = { row = position.line, character = position.character, encoding = session.encoding or 'utf-16' }
    local mine = (turn[buf] or 0) + 1
    turn[buf] = mine
    if last_id[buf] then
      rpc.notify('$/cancelRequest', { id = last_id[buf] })
      last_id[buf] = nil
    end
    local sent, id = rpc.request(method, params, function(err, result)
      if turn[buf] ~= mine or err then
        -- Overtaken or failed: the question still has to end for the client, without an answer.
        return callback(err, nil)
      end
      last_id[buf] = nil
      callback(nil, keep_fitting(buf, session, asked, result))
      on_answer(buf, params.context.triggerKind ~= 1)
    end, on_reply)
    last_id[buf] = sent and id or nil
    return sent, id
  end

  return setmetatable({
    request = function(name, params, callback, on_reply)
      if name == method then
        return ask(params, callback, on_reply)
      end
      return rpc.request(name, params, callback, on_reply)
    end,
  }, { __index = rpc })
end

return M

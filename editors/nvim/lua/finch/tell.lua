--- Tells the server what became of a suggestion: shown, accepted, rejected. A suggestion without an
--- id cannot be told about. `length` counts UTF-16 code units from the start of `insertText`.

local clients = require('finch.client')
local encoding = require('finch.encoding')

local M = {}

local last_shown ---@type string|integer|nil

---@param offer finch.Offer
---@param method string
---@param params table
local function notify(offer, method, params)
  local client = vim.lsp.get_client_by_id(offer.client_id)
  if not client or offer.id == nil then
    return
  end
  params.id = offer.id
  clients.notify(client, method, params)
end

--- Each suggestion is told as shown once in a row, however often it is redrawn.
---@param offer finch.Offer
function M.shown(offer)
  if offer.id ~= last_shown then
    last_shown = offer.id
    notify(offer, 'finch/didShow', {})
  end
end

---@param offer finch.Offer what was accepted so far
---@param kind 'full'|'word'|'line'
function M.accepted(offer, kind)
  local length = encoding.units(offer.text:sub(1, offer.done), 'utf-16')
  notify(offer, 'finch/didAccept', { length = length, kind = kind })
end

---@param offer finch.Offer
---@param reason 'dismissed'|'left-insert-mode'
function M.rejected(offer, reason)
  notify(offer, 'finch/didReject', { reason = reason })
end

return M

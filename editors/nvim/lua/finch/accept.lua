--- Puts a suggestion, or its next word or line, into the text. One call changes the buffer once; the
--- keys around it (see keymaps) make that one undo step. Says nothing about what is shown.

local clients = require('finch.client')
local offers = require('finch.offer')
local tell = require('finch.tell')

local M = {}

---@param offer finch.Offer
---@param buf integer
local function run_command(offer, buf)
  local client = vim.lsp.get_client_by_id(offer.client_id)
  -- A suggestion with an id is told about by `finch/didAccept`; its command would tell it twice.
  if client and offer.id == nil and type(offer.command) == 'table' then
    clients.execute(client, offer.command, buf)
  end
end

--- Insert the part of `offer` that `kind` names at the cursor.
---@param buf integer the current buffer
---@param offer finch.Offer begins at the cursor
---@param kind 'full'|'word'|'line'
---@return finch.Offer? left what is still to be accepted
function M.apply(buf, offer, kind)
  local rest = offers.rest(offer)
  local part = offers.part(rest, kind)
  local whole = #part == #rest
  local lines = vim.split(part, '\n', { plain = true })
  -- What the suggestion replaces goes when its last part comes.
  local until_col = offer.col + (whole and offer.tail or 0)
  vim.api.nvim_buf_set_text(buf, offer.row, offer.col, offer.row, until_col, lines)
  local cursor = {
    row = offer.row + #lines - 1,
    col = (#lines == 1 and offer.col or 0) + #lines[#lines],
  }
  vim.api.nvim_win_set_cursor(0, { cursor.row + 1, cursor.col })
  local left = offers.advance(offer, #part, cursor)
  tell.accepted(left, kind)
  if whole then
    run_command(offer, buf)
    return nil
  end
  return left
end

return M

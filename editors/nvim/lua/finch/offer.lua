--- An offer: one suggestion, placed in the buffer as it is now. It knows which part of its text is
--- already there and which part is still to come (`rest`), so an answer to older text either still
--- fits, because the user typed what was suggested, or is no offer at all. Nothing here draws.

local encoding = require('finch.encoding')

local M = {}

---@class finch.Asked where the request was made
---@field row integer 0-based
---@field character integer in units of the encoding
---@field encoding string

---@class finch.Offer
---@field id? string|integer the server's name for the suggestion
---@field client_id integer
---@field command? table to run after full acceptance, when the server gave no id
---@field text string the whole of `insertText`
---@field done integer bytes of `text` that stand before the cursor
---@field row integer 0-based, where the rest begins
---@field col integer in bytes
---@field tail integer bytes right of the cursor that the suggestion replaces

---@param buf integer
---@param row integer
---@return string
local function line_at(buf, row)
  return vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
end

---@param item table
---@return string|integer|nil
local function id_of(item)
  local arguments = type(item.command) == 'table' and item.command.arguments
  local first = type(arguments) == 'table' and arguments[1]
  local id = type(first) == 'table' and first.id
  return (type(id) == 'string' or type(id) == 'number') and id or nil
end

--- The offer an item makes with the cursor at `cursor`, or nil if it does not fit there.
---@param buf integer
---@param client_id integer
---@param item table lsp.InlineCompletionItem
---@param asked finch.Asked
---@param cursor {row: integer, col: integer}
---@return finch.Offer?
function M.place(buf, client_id, item, asked, cursor)
  local text = item.insertText
  if type(text) ~= 'string' or cursor.row ~= asked.row then
    return nil
  end
  text = text:gsub('\r\n?', '\n')
  local at = { line = asked.row, character = asked.character }
  local range = item.range or { start = at, ['end'] = at }
  if range.start.line ~= asked.row or range['end'].line ~= asked.row then
    return nil
  end
  local line = line_at(buf, asked.row)
  local start = encoding.byte(line, range.start.character, asked.encoding)
  local before = line:sub(start + 1, cursor.col)
  -- Invariant: what was typed since the question extends the range only if it is what was suggested.
  if start > cursor.col or text:sub(1, #before) ~= before or #text == #before then
    return nil
  end
  -- What the range replaces on the right moved along with the cursor.
  local right = math.max(0, range['end'].character - asked.character)
  return {
    id = id_of(item),
    client_id = client_id,
    command = item.command,
    text = text,
    done = #before,
    row = cursor.row,
    col = cursor.col,
    tail = encoding.byte(line:sub(cursor.col + 1), right, asked.encoding),
  }
end

--- The part that is not in the buffer yet.
---@param offer finch.Offer
---@return string
function M.rest(offer)
  return offer.text:sub(offer.done + 1)
end

--- The same offer after the user typed on, or nil if what was typed is not what it says.
---@param buf integer
---@param offer finch.Offer
---@param cursor {row: integer, col: integer}
---@return finch.Offer?
function M.follow(buf, offer, cursor)
  if cursor.row ~= offer.row or cursor.col < offer.col then
    return nil
  end
  local typed = line_at(buf, offer.row):sub(offer.col + 1, cursor.col)
  local rest = M.rest(offer)
  if #typed == #rest or rest:sub(1, #typed) ~= typed then
    return nil
  end
  return M.advance(offer, #typed, cursor)
end

--- The same offer with `bytes` more of it in the buffer and the cursor at `cursor`.
---@param offer finch.Offer
---@param bytes integer
---@param cursor {row: integer, col: integer}
---@return finch.Offer
function M.advance(offer, bytes, cursor)
  return vim.tbl_extend('force', offer, { done = offer.done + bytes, row = cursor.row, col = cursor.col })
end

--- The next part to accept: everything, up to the end of a word, or up to the end of a line. Blanks
--- and line ends in front belong to the part, or accepting would seem to do nothing.
---@param rest string
---@param kind 'full'|'word'|'line'
---@return string
function M.part(rest, kind)
  if kind == 'line' then
    return rest:match('^\n*[^\n]*')
  elseif kind == 'word' then
    local word = vim.fn.matchstr(rest, [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]])
    return word ~= '' and word or rest
  end
  return rest
end

return M

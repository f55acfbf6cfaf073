--- Columns: the server counts in the negotiated position encoding, Neovim in bytes. This module
--- turns one into the other and knows which Neovim spells the conversion how. It also knows what no
--- encoding can say.

local M = {}

local named_encodings = vim.fn.has('nvim-0.11') == 1

--- How many units of `encoding` the text is long.
---@param text string
---@param encoding string 'utf-8' | 'utf-16' | 'utf-32'
---@return integer
function M.units(text, encoding)
  if encoding == 'utf-8' then
    return #text
  end
  if named_encodings then
    return vim.str_utfindex(text, encoding)
  end
  local utf32, utf16 = vim.str_utfindex(text)
  return encoding == 'utf-32' and utf32 or utf16
end

--- The byte offset of a column, clamped to the end of the line.
---@param line string
---@param column integer in units of `encoding`
---@param encoding string
---@return integer
function M.byte(line, column, encoding)
  column = math.max(0, math.min(column, M.units(line, encoding)))
  if encoding == 'utf-8' then
    return column
  end
  if named_encodings then
    return vim.str_byteindex(line, encoding, column)
  end
  return vim.str_byteindex(line, column, encoding == 'utf-16')
end

--- Whether the text can be put into a message.
---@param text string
---@return boolean
function M.is_utf8(text)
  for _, at in ipairs(vim.str_utf_pos(text)) do
    if text:byte(at) >= 0x80 and vim.str_utf_end(text, at) == 0 then
      return false
    end
  end
  -- Halves of a pair of UTF-16.
  return not text:find('\237[\160-\191]')
end

return M

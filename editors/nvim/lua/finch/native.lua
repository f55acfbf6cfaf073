--- Neovim's own inline completion (0.12 and later): what it shows, and taking it over. Neovim keeps
--- the shown suggestion to itself, so it is found by matching the text on the screen with the newest
--- answer; accepting is finch's own, since Neovim replaces the range of the question even when the
--- user has typed on since, knows no words or lines, and acts only after keys already typed.

local answers = require('finch.answers')
local offers = require('finch.offer')

local M = {}

local function namespace()
  return vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
end

--- Switch Neovim's inline completion on or off in a buffer. By buffer and not by client: Neovim asks
--- only where the buffer has been switched on, whatever was said about the client.
---@param buf integer
---@param on boolean
function M.enable(buf, on)
  vim.lsp.inline_completion.enable(on, { bufnr = buf })
end

---@param chunks [string, string][]
---@return string
local function text_of(chunks)
  -- A second chunk is Neovim's own "(1/2)".
  return chunks[1] and chunks[1][1] or ''
end

--- The text Neovim shows, or nil.
---@param buf integer
---@return string?
local function on_screen(buf)
  local mark = vim.api.nvim_buf_get_extmarks(buf, namespace(), 0, -1, { details = true, limit = 1 })[1]
  if not mark then
    return nil
  end
  local details = mark[4]
  local lines = { text_of(details.virt_text or {}) }
  for _, chunks in ipairs(details.virt_lines or {}) do
    lines[#lines + 1] = text_of(chunks)
  end
  local text = table.concat(lines, '\n')
  return text ~= '' and text or nil
end

--- Whether Neovim shows one of finch's suggestions.
---@param buf integer
---@return boolean
function M.visible(buf)
  local answer = answers.newest(buf)
  return answer ~= nil and #answer.items > 0 and on_screen(buf) ~= nil
end

--- The offer behind what Neovim shows, or nil if what was typed since does not agree with it.
---@param buf integer
---@return finch.Offer?
function M.current(buf)
  local answer, cursor, text = answers.newest(buf), answers.cursor(buf), on_screen(buf)
  if not answer or not cursor or not text then
    return nil
  end
  local found
  for i, item in ipairs(answer.items) do
    local offer = offers.place(buf, answer.client_id, item, answer.asked, cursor)
    -- Neovim may not have redrawn since the last key, so the screen may still show a letter more.
    if offer and offer.text:sub(-#text) == text and (not found or i == answer.index) then
      found = offer
    end
  end
  return found
end

---@param buf integer
---@return integer
function M.count(buf)
  local answer = answers.newest(buf)
  return answer and #answer.items or 0
end

--- Let Neovim show another suggestion of the same answer.
---@param buf integer
---@param count integer
function M.cycle(buf, count)
  local answer = answers.newest(buf)
  answer.index = (answer.index - 1 + count) % #answer.items + 1
  vim.lsp.inline_completion.select({ bufnr = buf, count = count })
end

--- Make Neovim forget what it shows, without putting it into the text.
---@param buf integer
function M.withdraw(buf)
  vim.lsp.inline_completion.get({
    bufnr = buf,
    on_accept = function()
      return nil
    end,
  })
end

return M

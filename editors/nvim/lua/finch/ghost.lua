--- Draws ghost text with extmarks of finch's own and holds what it drew. Neovim 0.10 and 0.11 have
--- nothing else; on 0.12 it shows what is left after a word or a line was accepted, and the answers
--- to an explicit question. While the user types what is shown, the text shrinks without a request.

local answers = require('finch.answers')
local offers = require('finch.offer')
local tell = require('finch.tell')

local M = {}

local namespace = vim.api.nvim_create_namespace('finch.ghost')

---@class finch.Shown
---@field list finch.Offer[]
---@field index integer

local shown = {} ---@type table<integer, finch.Shown>

--- The groups the user may override; on 0.12 they follow Neovim's own.
function M.define_highlights()
  local native = vim.fn.hlexists('ComplHint') == 1
  vim.api.nvim_set_hl(0, 'FinchGhost', { link = native and 'ComplHint' or 'Comment', default = true })
  vim.api.nvim_set_hl(0, 'FinchHint', { link = native and 'ComplHintMore' or 'MoreMsg', default = true })
end

---@param buf integer
function M.clear(buf)
  shown[buf] = nil
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

--- The offer on the screen, moved along to where the cursor is now.
---@param buf integer
---@return finch.Offer?
function M.current(buf)
  local state, cursor = shown[buf], answers.cursor(buf)
  return state and cursor and offers.follow(buf, state.list[state.index], cursor)
end

---@param buf integer
---@return integer
function M.count(buf)
  return shown[buf] and #shown[buf].list or 0
end

---@param buf integer
---@param hint? string
local function draw(buf, hint)
  local state = shown[buf]
  local offer = state.list[state.index]
  vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  local lines = {}
  for _, line in ipairs(vim.split(offers.rest(offer), '\n', { plain = true })) do
    lines[#lines + 1] = { { line, 'FinchGhost' } }
  end
  if hint then
    table.insert(lines[#lines], { hint, 'FinchHint' })
  end
  vim.api.nvim_buf_set_extmark(buf, namespace, offer.row, offer.col, {
    virt_text = lines[1],
    virt_text_pos = 'inline',
    virt_lines = #lines > 1 and vim.list_slice(lines, 2) or nil,
    hl_mode = 'combine',
  })
  tell.shown(offer)
end

--- Show the first of `list`, all of which begin at the cursor; an empty list clears.
---@param buf integer
---@param list finch.Offer[]
function M.show(buf, list)
  M.clear(buf)
  if #list > 0 then
    shown[buf] = { list = list, index = 1 }
    draw(buf)
  end
end

--- Show another of the offers, counting on from the present one and around.
---@param buf integer
---@param count integer
function M.cycle(buf, count)
  local state = shown[buf]
  state.index = (state.index - 1 + count) % #state.list + 1
  draw(buf, (' (%d/%d)'):format(state.index, #state.list))
end

--- Keep what is shown in step with the text: shorten it, or take it away.
---@param buf integer
local function keep_up(buf)
  local state, cursor = shown[buf], answers.cursor(buf)
  if not state or not cursor then
    return
  end
  local list = {}
  local current = offers.follow(buf, state.list[state.index], cursor)
  if not current then
    return M.clear(buf)
  end
  local index = 1
  for i, offer in ipairs(state.list) do
    local followed = offers.follow(buf, offer, cursor)
    list[#list + 1] = followed
    if i == state.index then
      index = #list
    end
  end
  if current.col ~= state.list[state.index].col then
    shown[buf] = { list = list, index = index }
    draw(buf)
  end
end

--- Follow the typing in a buffer.
---@param buf integer
---@param group integer autocommand group
---@param on_change fun(buf: integer) called after every change or move in insert mode
function M.attach(buf, group, on_change)
  vim.api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, {
    group = group,
    buffer = buf,
    callback = function()
      keep_up(buf)
      on_change(buf)
    end,
  })
  vim.api.nvim_create_autocmd('InsertLeavePre', {
    group = group,
    buffer = buf,
    callback = function()
      local current = M.current(buf)
      if current then
        tell.rejected(current, 'left-insert-mode')
      end
    end,
  })
end

return M

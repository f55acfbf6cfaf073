--- The insert mode keys. A key acts only while there is ghost text; otherwise it does what it did
--- before, be that a mapping of the user's, of another plugin, or of Neovim, or just the key. The
--- accept key also stands back for the popup menu, for snippet jumps and for indentation.

local config = require('finch.config')
local offers = require('finch.offer')
local suggestion = require('finch.suggestion')

local M = {}

local before = {} ---@type table<integer, table<string, table>> buffer-local mappings finch's came on top of

---@param keys string
local function raw(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

--- Put keys in front of what is still to be processed.
---@param keys string raw
---@param remap boolean
local function feed(keys, remap)
  vim.api.nvim_feedkeys(keys, remap and 'im' or 'in', false)
end

---@param maps table[]
---@param lhs string
---@return table?
local function find(maps, lhs)
  local wanted = raw(lhs)
  for _, map in ipairs(maps) do
    if map.lhsraw == wanted or map.lhsrawalt == wanted then
      return map
    end
  end
end

--- Run another mapping as if the key had been its own.
---@param map table as from nvim_get_keymap()
local function run(map)
  local keys
  if map.callback then
    keys = map.callback()
    if map.expr ~= 1 then
      return
    end
  else
    keys = (map.rhs or ''):gsub('<[sS][iI][dD]>', ('<SNR>%d_'):format(map.sid or 0))
    if map.expr == 1 then
      keys = vim.api.nvim_eval(keys)
    else
      keys = raw(keys)
    end
  end
  if type(keys) ~= 'string' then
    return
  end
  if map.expr == 1 and map.replace_keycodes == 1 then
    keys = raw(keys)
  end
  feed(keys, map.noremap ~= 1)
end

--- What the key did before finch.
---@param buf integer
---@param lhs string
local function fall_back(buf, lhs)
  local map = (before[buf] or {})[lhs] or find(vim.api.nvim_get_keymap('i'), lhs)
  if map then
    run(map)
  else
    feed(raw(lhs), false)
  end
end

--- Whether the user is indenting: only blanks before the cursor, and the suggestion would begin with
--- a whole step of indentation. One more press of the key and what is left begins with code.
---@return boolean
local function is_indenting()
  local cursor = vim.api.nvim_win_get_cursor(0)
  local offer = suggestion.current()
  if not offer or vim.api.nvim_get_current_line():sub(1, cursor[2]):find('%S') then
    return false
  end
  local blank = offers.rest(offer):match('^[ \t]*')
  return vim.fn.strdisplaywidth(blank, vim.fn.virtcol('.') - 1) >= vim.fn.shiftwidth()
end

--- Whether the accept key has something else to do.
---@return boolean
local function is_taken()
  if vim.fn.pumvisible() == 1 or vim.snippet.active({ direction = 1 }) then
    return true
  end
  local luasnip = package.loaded['luasnip']
  return (luasnip and luasnip.locally_jumpable(1)) or is_indenting()
end

---@param kind 'full'|'word'|'line'
local function accept(kind)
  -- CTRL-G u on both sides: accepting is one undo step of its own.
  feed(raw(('<C-g>u<Cmd>lua require("finch.suggestion").accept("%s")<CR><C-g>u'):format(kind)), false)
end

---@type table<string, {desc: string, press: fun(): boolean}> press: whether the key was used
local actions = {
  accept = {
    desc = 'accept the suggestion',
    press = function()
      if not suggestion.visible() or is_taken() then
        return false
      end
      accept('full')
      return true
    end,
  },
  accept_word = {
    desc = 'accept the next word of the suggestion',
    press = function()
      local used = suggestion.visible()
      if used then
        accept('word')
      end
      return used
    end,
  },
  accept_line = {
    desc = 'accept the next line of the suggestion',
    press = function()
      local used = suggestion.visible()
      if used then
        accept('line')
      end
      return used
    end,
  },
  next = {
    desc = 'show the next suggestion, or ask for one',
    press = function()
      suggestion.cycle(1)
      return true
    end,
  },
  prev = {
    desc = 'show the previous suggestion, or ask for one',
    press = function()
      suggestion.cycle(-1)
      return true
    end,
  },
  dismiss = {
    desc = 'dismiss the suggestion',
    press = function()
      local used = suggestion.visible()
      if used then
        suggestion.dismiss()
      end
      return used
    end,
  },
}

for _, verdict in ipairs({ 'good', 'bad' }) do
  actions[verdict] = {
    desc = 'say that the last suggestion was ' .. verdict,
    press = function()
      require('finch.feedback').say(verdict)
      return true
    end,
  }
end

---@param map table?
local function is_ours(map)
  return map ~= nil and vim.startswith(map.desc or '', 'finch: ')
end

--- Set the keys in a buffer.
---@param buf integer
function M.attach(buf)
  before[buf] = before[buf] or {}
  local maps = vim.api.nvim_buf_get_keymap(buf, 'i')
  for name, lhs in pairs(config.get().keys) do
    local map = lhs and find(maps, lhs)
    if lhs and not is_ours(map) then
      before[buf][lhs] = map
      vim.keymap.set('i', lhs, function()
        if not actions[name].press() then
          fall_back(buf, lhs)
        end
      end, { buffer = buf, silent = true, desc = 'finch: ' .. actions[name].desc })
    end
  end
end

--- Give the keys of a buffer back.
---@param buf integer
function M.detach(buf)
  local previous = before[buf] or {}
  before[buf] = nil
  if not vim.api.nvim_buf_is_valid(buf) then
    return
  end
  local maps = vim.api.nvim_buf_get_keymap(buf, 'i')
  for _, lhs in pairs(config.get().keys) do
    if lhs and is_ours(find(maps, lhs)) then
      vim.keymap.del('i', lhs, { buffer = buf })
      if previous[lhs] then
        vim.api.nvim_buf_call(buf, function()
          vim.fn.mapset('i', false, previous[lhs])
        end)
      end
    end
  end
end

--- Keys of finch's that something else has taken in a buffer, as sentences.
---@param buf integer
---@return string[]
function M.conflicts(buf)
  local maps, found = vim.api.nvim_buf_get_keymap(buf, 'i'), {}
  for name, lhs in vim.spairs(config.get().keys) do
    local map = lhs and find(maps, lhs)
    if lhs and not is_ours(map) then
      found[#found + 1] = ('%s (%s) is mapped in this buffer by something else: %s'):format(
        lhs, name, map and (map.desc or map.rhs) or 'nothing'
      )
    end
  end
  return found
end

return M

--- The suggestion the user sees, whoever draws it: whether there is one, accepting it or a part of
--- it, dismissing it, going through the others, and switching suggestions off. Keys and commands
--- call this module; it alone knows that there are two ways of drawing.

local accept = require('finch.accept')
local answers = require('finch.answers')
local ask = require('finch.ask')
local config = require('finch.config')
local ghost = require('finch.ghost')
local native = require('finch.native')
local status = require('finch.status')
local tell = require('finch.tell')

local M = {}

local enabled = true

---@param buf integer
local function native_visible(buf)
  return config.native() and native.visible(buf)
end

--- Whether ghost text is on the screen of the current window.
---@return boolean
function M.visible()
  local buf = vim.api.nvim_get_current_buf()
  return ghost.current(buf) ~= nil or native_visible(buf)
end

--- The offer behind the ghost text, if what was typed since agrees with it.
---@return finch.Offer?
function M.current()
  local buf = vim.api.nvim_get_current_buf()
  return ghost.current(buf) or (config.native() and native.current(buf) or nil)
end

--- Take whatever is shown off the screen, then call `after`.
---@param buf integer
---@param after? fun()
local function hide(buf, after)
  ghost.clear(buf)
  if native_visible(buf) then
    native.withdraw(buf)
    answers.forget(buf)
    -- Neovim takes its text away in the next round of events.
    after = after and vim.schedule_wrap(after)
  end
  if after then
    after()
  end
end

--- Put the suggestion into the text, or the next word or line of it; the rest stays on the screen.
---@param kind 'full'|'word'|'line'
function M.accept(kind)
  local buf = vim.api.nvim_get_current_buf()
  local offer = M.current()
  local left = offer and accept.apply(buf, offer, kind)
  hide(buf, function()
    if left and vim.api.nvim_get_current_buf() == buf then
      ghost.show(buf, { left })
    end
  end)
end

--- Take the suggestion away and tell the server it was not wanted.
function M.dismiss()
  local buf = vim.api.nvim_get_current_buf()
  local offer = M.current()
  if offer then
    tell.rejected(offer, 'dismissed')
  end
  ask.stop(buf)
  hide(buf)
end

--- Show another suggestion; if there is no other, ask the server for some.
---@param count integer 1 or -1
function M.cycle(count)
  local buf = vim.api.nvim_get_current_buf()
  if ghost.current(buf) and ghost.count(buf) > 1 then
    ghost.cycle(buf, count)
  elseif native_visible(buf) and native.count(buf) > 1 then
    native.cycle(buf, count)
    local offer = native.current(buf)
    if offer then
      tell.shown(offer)
    end
  elseif enabled then
    hide(buf, function()
      ask.now(buf)
    end)
  end
end

--- Neovim has shown what the server answered: the answer replaces what finch drew.
---@param buf integer
---@param automatic boolean
local function after_answer(buf, automatic)
  if not automatic or not config.native() or not native.visible(buf) then
    return
  end
  ghost.clear(buf)
  local offer = native.current(buf)
  if offer then
    tell.shown(offer)
  end
end

--- Show suggestions in a buffer that the server serves.
---@param buf integer
function M.attach(buf)
  answers.on_answer(after_answer)
  if config.native() and enabled then
    native.enable(buf, true)
  end
  local group = vim.api.nvim_create_augroup('finch.buffer.' .. buf, { clear = true })
  ghost.attach(buf, group, function()
    if enabled and not config.native() then
      ask.after_pause(buf)
    end
  end)
  vim.api.nvim_create_autocmd('InsertLeavePre', {
    group = group,
    buffer = buf,
    callback = function()
      local offer = native_visible(buf) and native.current(buf)
      if offer then
        tell.rejected(offer, 'left-insert-mode')
      end
    end,
  })
  -- Not InsertLeave: leaving with CTRL-C does not trigger it.
  vim.api.nvim_create_autocmd('ModeChanged', {
    group = group,
    pattern = 'i*:n',
    callback = function()
      M.stop(buf)
    end,
  })
  vim.api.nvim_create_autocmd({ 'BufLeave', 'BufUnload' }, {
    group = group,
    buffer = buf,
    callback = function()
      M.stop(buf)
    end,
  })
end

--- Show nothing and ask for nothing until the user types again.
---@param buf integer
function M.stop(buf)
  ask.stop(buf)
  ghost.clear(buf)
  answers.forget(buf)
end

---@param buf integer
function M.detach(buf)
  M.stop(buf)
  pcall(vim.api.nvim_del_augroup_by_name, 'finch.buffer.' .. buf)
end

--- Whether ghost text is switched on.
---@return boolean
function M.enabled()
  return enabled
end

--- Switch ghost text on or off everywhere.
---@return boolean enabled
function M.toggle()
  enabled = not enabled
  for _, client in ipairs(vim.lsp.get_clients({ name = 'finch' })) do
    for buf in pairs(client.attached_buffers) do
      M.stop(buf)
      if config.native() then
        native.enable(buf, enabled)
      end
    end
  end
  status.announce()
  return enabled
end

return M

--- Puts the agent's questions to the user in a floating window, one after another. The window opens
--- without the focus and takes it when the user rests in Normal mode; keys pressed in the first moment
--- after that are not answers. Whatever closes the window without an answer is a no.

local attention = require('finch.attention')
local questions = require('finch.question')

local M = {}

local columns_max = 100

---@class finch.Open
---@field question finch.Question
---@field client_id integer
---@field reply fun(answer: table) once
---@field buf? integer
---@field win? integer
---@field cancel_focus? fun()
---@field deaf_until? number keys before this moment are no answers

local queue = {} ---@type finch.Open[] the first is on the screen

---@type fun()
local show_next

local function changed()
  require('finch.status').announce()
end

---@param open finch.Open
local function close(open)
  if open.cancel_focus then
    open.cancel_focus()
  end
  if open.win and vim.api.nvim_win_is_valid(open.win) then
    vim.api.nvim_win_close(open.win, true)
  end
end

---@param open finch.Open
---@param answer table|userdata vim.NIL is a no
local function settle(open, answer)
  for at, other in ipairs(queue) do
    if other == open then
      table.remove(queue, at)
      close(open)
      open.reply(answer)
      changed()
      show_next()
      return
    end
  end
end

---@param open finch.Open
---@param key finch.Key
local function press(open, key)
  local now = vim.uv.now()
  if now < open.deaf_until then
    -- Typed before the window was seen: the moment begins anew.
    open.deaf_until = now + attention.pause_ms
    return
  end
  if not key.asks_reason then
    return settle(open, questions.answer(open.question, key.choice))
  end
  vim.ui.input({ prompt = 'finch: why not? ' }, function(reason)
    settle(open, questions.answer(open.question, key.choice, reason))
  end)
end

---@param open finch.Open
local function set_keys(open)
  local function map(lhs, key)
    vim.keymap.set('n', lhs, function()
      press(open, key)
    end, { buffer = open.buf, nowait = true, silent = true, desc = 'finch: ' .. key.label })
  end
  local all = questions.keys(open.question)
  for _, key in ipairs(all) do
    map(key.key, key)
  end
  map('q', all[1])
  map('<Esc>', all[1])
  vim.keymap.set('n', '<CR>', '<Nop>', { buffer = open.buf, nowait = true, desc = 'finch: nothing' })
end

---@param open finch.Open
local function focus(open)
  if open.win and vim.api.nvim_win_is_valid(open.win) then
    open.deaf_until = vim.uv.now() + attention.pause_ms
    vim.api.nvim_set_current_win(open.win)
  end
end

---@param open finch.Open
---@param lines string[]
local function open_window(open, lines)
  local width = math.min(columns_max, math.max(20, vim.o.columns - 4))
  local rows = 0
  for _, line in ipairs(lines) do
    rows = rows + math.max(1, math.ceil(vim.fn.strdisplaywidth(line) / width))
  end
  local height = math.max(1, math.min(rows, vim.o.lines - vim.o.cmdheight - 4))
  local more = rows > height and ' more below: scroll ' or ''
  open.win = vim.api.nvim_open_win(open.buf, false, {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((vim.o.lines - vim.o.cmdheight - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2)),
    style = 'minimal',
    border = 'rounded',
    title = (' %s '):format((open.question.title:gsub('%c', ' '))),
    footer = more,
    zindex = 200,
  })
  vim.wo[open.win].wrap = true
  vim.wo[open.win].conceallevel = 0
  vim.wo[open.win].list = false
end

---@param open finch.Open
local function show(open)
  local lines = questions.lines(open.question)
  open.buf = vim.api.nvim_create_buf(false, true)
  -- Lines that hold a NUL or the like are shown as Neovim shows them, and none is left out.
  vim.api.nvim_buf_set_lines(open.buf, 0, -1, false, lines)
  vim.bo[open.buf].modifiable = false
  vim.bo[open.buf].bufhidden = 'wipe'
  vim.bo[open.buf].syntax = questions.syntax(open.question)
  open.deaf_until = vim.uv.now() + attention.pause_ms
  set_keys(open)
  open_window(open, lines)
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = open.buf,
    callback = function()
      vim.schedule(function()
        settle(open, vim.NIL)
      end)
    end,
  })
  open.cancel_focus = attention.when_free(function()
    focus(open)
  end)
end

show_next = function()
  local first = queue[1]
  if first and not first.buf then
    show(first)
    changed()
  end
end

--- Ask, and call `reply` once with the answer; vim.NIL is a no.
---@param question finch.Question
---@param client_id integer
---@param reply fun(answer: any)
function M.ask(question, client_id, reply)
  queue[#queue + 1] = { question = question, client_id = client_id, reply = reply }
  show_next()
end

--- Go to the question on the screen.
---@return boolean found
function M.focus()
  local first = queue[1]
  if first then
    focus(first)
  end
  return first ~= nil
end

--- How many questions wait.
---@return integer
function M.count()
  return #queue
end

---@param is_meant fun(open: finch.Open): boolean
local function take_back(is_meant)
  for _, open in ipairs(vim.tbl_filter(is_meant, queue)) do
    settle(open, vim.NIL)
  end
end

--- The server takes back the one question that it has open. Neovim does not tell a handler by which
--- number its request goes, so of several questions none is taken: those are closed when their turn ends.
---@param client_id integer
function M.cancelled(client_id)
  local function is_of(open)
    return open.client_id == client_id
  end
  if #vim.tbl_filter(is_of, queue) == 1 then
    take_back(is_of)
  end
end

--- A turn has ended: nobody waits for its answers.
---@param client_id integer
---@param turn string
function M.ended(client_id, turn)
  take_back(function(open)
    return open.client_id == client_id and open.question.turn == turn
  end)
end

--- A server has gone.
---@param client_id integer
function M.gone(client_id)
  take_back(function(open)
    return open.client_id == client_id
  end)
end

return M

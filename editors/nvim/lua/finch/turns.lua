--- What the agent is doing, told by its events: the turns that run, a line for the status line, and
--- the log that `:Finch turns` shows.

local M = {}

-- What the log keeps.
local lines_max = 5000
local arguments_chars_max = 400
local title_chars_max = 30
local ended_max = 20
-- Text comes in small pieces; it is drawn less often.
local draw_pause_ms = 100

---@class finch.Turn
---@field id string
---@field client_id integer
---@field title string
---@field task string
---@field doing string
---@field ended? string the outcome
---@field interrupted? boolean

local turns = {} ---@type finch.Turn[] the oldest first
local lines = {} ---@type string[] the log
local stream = nil ---@type string? what is being streamed, so that its next piece goes on in the same line
local log_buf = nil ---@type integer?
local drawing = false

-- States of a plan; there may be others.
local plan_states = {
  drafting = 'writes the plan',
  attacking = 'attacks the plan',
  settled = 'has settled the plan',
  ['rounds-over'] = 'has a plan with open findings',
  stopped = 'has stopped planning',
}

local tasks = { plan = 'reads', work = 'works', ask = 'answers', change = 'edits', undo = 'takes back' }

---@param text string
---@param chars integer
---@return string
local function short(text, chars)
  local line = vim.trim((tostring(text):gsub('%s+', ' ')))
  return vim.fn.strchars(line) > chars and vim.fn.strcharpart(line, 0, chars - 1) .. '…' or line
end

--- What an event makes of its turn.
---@param turn finch.Turn
---@param event table
local function apply(turn, event)
  if event.kind == 'began' then
    turn.title, turn.task = event.title, event.task
    turn.doing, turn.ended = tasks[event.task] or 'works', nil
  elseif event.kind == 'call' then
    turn.doing = 'calls ' .. event.name
  elseif event.kind == 'plan' then
    -- While a plan is carried out its steps say more.
    local doing, open = plan_states[event.state], event.open > 0 and (', %d open'):format(event.open) or ''
    local round = event.round > 0 and (' (round %d%s)'):format(event.round, open) or ''
    turn.doing = doing and doing .. round or turn.doing
  elseif event.kind == 'step' then
    turn.doing = ('step %d: %s, %s'):format(event.number, event.title, event.state)
  elseif event.kind == 'ended' then
    turn.doing, turn.ended = event.message, event.outcome
  end
end

local function forget_old()
  local ended = vim.tbl_filter(function(turn)
    return turn.ended ~= nil
  end, turns)
  if #ended > ended_max then
    turns = vim.tbl_filter(function(turn)
      return turn ~= ended[1]
    end, turns)
  end
end

---@param event table
---@param client_id integer
---@return finch.Turn
local function turn_of(event, client_id)
  for _, turn in ipairs(turns) do
    if turn.id == event.turn then
      return turn
    end
  end
  local turn = { id = event.turn, client_id = client_id, title = '', task = '', doing = 'works' }
  turns[#turns + 1] = turn
  return turn
end

---@param event table
---@return string? of what is streamed
---@return string? head
local function streamed(event)
  if event.kind == 'text' then
    return 'text ' .. event.turn, ''
  elseif event.kind == 'reasoning' then
    return 'reasoning ' .. event.turn, 'thinks: '
  elseif event.kind == 'output' then
    return ('output %s %s'):format(event.turn, event.id), ''
  end
end

---@type table<string, fun(event: table): string>
local one_line = {
  began = function(event)
    return ('=== %s: %s (turn %s)'):format(event.task, event.title, event.turn)
  end,
  call = function(event)
    return ('--> %s %s'):format(event.name, short(event.arguments, arguments_chars_max))
  end,
  called = function(event)
    return ('<-- %s%s'):format(event.failed and 'failed: ' or '', event.text)
  end,
  plan = function(event)
    return ('--- plan, round %d: %s, %d open: %s'):format(event.round, event.state, event.open, event.uri)
  end,
  step = function(event)
    return ('--- step %d: %s: %s'):format(event.number, event.title, event.state)
  end,
  applied = function(event)
    return '--- changed: ' .. table.concat(event.uris, ', ')
  end,
  review = function(event)
    return '--- to review: ' .. event.uri
  end,
  answer = function(event)
    return '--- answer: ' .. event.uri
  end,
  ended = function(event)
    return ('=== %s: %s'):format(event.outcome, event.message)
  end,
}

--- Show what the log has now, and its end where the cursor was there.
local function draw()
  if not log_buf or not vim.api.nvim_buf_is_valid(log_buf) then
    return
  end
  local last = vim.api.nvim_buf_line_count(log_buf)
  vim.bo[log_buf].modifiable = true
  vim.api.nvim_buf_set_lines(log_buf, 0, -1, false, lines)
  vim.bo[log_buf].modifiable = false
  for _, win in ipairs(vim.fn.win_findbuf(log_buf)) do
    if vim.api.nvim_win_get_cursor(win)[1] >= last then
      vim.api.nvim_win_set_cursor(win, { math.max(1, #lines), 0 })
    end
  end
end

local function draw_soon()
  if not drawing then
    drawing = true
    vim.defer_fn(function()
      drawing = false
      draw()
    end, draw_pause_ms)
  end
end

---@param event table
local function write(event)
  local piece, head = streamed(event)
  local text
  if piece then
    local goes_on = piece == stream
    text = goes_on and table.remove(lines) .. event.text or head .. event.text
    stream = piece
  else
    text = one_line[event.kind] and one_line[event.kind](event)
    stream = nil
  end
  if text then
    vim.list_extend(lines, vim.split(text, '\n', { plain = true }))
    if #lines > lines_max then
      lines = vim.list_slice(lines, #lines - lines_max + 1)
    end
    draw_soon()
  end
end

--- Handles `finch/turnEvent`.
---@param event table
---@param client_id integer
---@return finch.Turn
function M.take(event, client_id)
  local turn = turn_of(event, client_id)
  if turn.interrupted then
    -- It goes on in the next server.
    turn.ended, turn.interrupted = nil, nil
  end
  turn.client_id = client_id
  apply(turn, event)
  forget_old()
  write(event)
  return turn
end

--- A server has gone: what ran was interrupted.
---@param client_id integer
function M.gone(client_id)
  for _, turn in ipairs(turns) do
    if turn.client_id == client_id and not turn.ended then
      turn.doing, turn.ended, turn.interrupted = 'was interrupted', 'stopped', true
    end
  end
end

---@return finch.Turn[]
function M.running()
  return vim.tbl_filter(function(turn)
    return turn.ended == nil
  end, turns)
end

--- Turns that can go on, the newest first.
---@return finch.Turn[]
function M.resumable()
  local found = {}
  for at = #turns, 1, -1 do
    if turns[at].ended and turns[at].ended ~= 'done' then
      found[#found + 1] = turns[at]
    end
  end
  return found
end

--- What a turn does, and for what.
---@param turn finch.Turn
---@return string
function M.words(turn)
  local doing = short(turn.doing, 2 * title_chars_max)
  return turn.title ~= '' and ('%s: %s'):format(doing, short(turn.title, title_chars_max)) or doing
end

--- For the status line; nil while nothing runs.
---@return string?
function M.text()
  local running = M.running()
  if #running == 0 then
    return nil
  end
  return ('finch %s%s'):format(M.words(running[1]), #running > 1 and (' (+%d)'):format(#running - 1) or '')
end

--- Show the log in a window.
function M.show()
  if not log_buf or not vim.api.nvim_buf_is_valid(log_buf) then
    log_buf = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(log_buf, 'finch://turns')
    vim.bo[log_buf].bufhidden = 'hide'
    vim.bo[log_buf].modifiable = false
  end
  draw()
  local win = vim.fn.win_findbuf(log_buf)[1]
  if win then
    vim.api.nvim_set_current_win(win)
  else
    vim.api.nvim_open_win(log_buf, true, { split = 'below' })
  end
  vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(log_buf), 0 })
end

--- The lines of the log.
---@return string[]
function M.lines()
  return vim.deepcopy(lines)
end

return M

-- What the plugin makes of questions and of turns, without an editor:
--   nvim -l agent_check.lua PLUGIN
-- Fails with the first thing that is not as written here.

vim.opt.runtimepath:prepend(arg[1])
local questions = require('finch.question')
local turns = require('finch.turns')

local function same(got, wanted, what)
  if not vim.deep_equal(got, wanted) then
    error(('%s: %s, not %s'):format(what, vim.inspect(got), vim.inspect(wanted)), 2)
  end
end

local function asking(effect, ids)
  local choices = {}
  for _, id in ipairs(ids or { 'no', 'once' }) do
    choices[#choices + 1] = { id = id, label = 'label of ' .. id }
  end
  return { turn = 't', id = 'q', title = 'finch wants', effect = effect, why = 'it is new', choices = choices }
end

local function keys(ids, wanted)
  local got = vim.tbl_map(function(key)
    return key.key .. ' ' .. key.choice .. (key.asks_reason and ' because' or '')
  end, questions.keys(asking('', ids)))
  same(got, wanted, table.concat(ids, ' '))
end

keys({ 'no', 'once' }, { 'd no', 'r no because', 'o once' })
keys({ 'no', 'once', 'session', 'always', 'like' }, {
  'd no', 'r no because', 'o once', 's session', 'a always', 'l like',
})
-- The first is the refusal, whatever its name, and what is not known has a number.
keys({ 'never', 'once', 'forever' }, { 'd never', 'r never because', 'o once', '3 forever' })

local effect = {}
for at = 1, 300 do
  effect[at] = ('line %d with **stars** and [a link](command:x)'):format(at)
end
local lines = questions.lines(asking(table.concat(effect, '\n')))
same(vim.list_slice(lines, #lines - 299), effect, 'the whole effect')
same(vim.list_contains(lines, 'it is new'), true, 'why it is asked')

same(questions.syntax(asking('Change /a\n--- a\n+++ b\n@@ -1 +1 @@')), 'diff', 'a change')
same(questions.syntax(asking('Run in /a, without the network:\nls')), 'sh', 'a command')
same(questions.syntax(asking('Fetch https://example.com')), '', 'an address')
same(questions.answer(asking(''), 'no', 'too slow'), { id = 'q', choice = 'no', reason = 'too slow' }, 'a reason')
same(questions.answer(asking(''), 'once', ''), { id = 'q', choice = 'once' }, 'no reason')

local function take(event, turn)
  turns.take(vim.tbl_extend('error', { turn = turn or 't' }, event), 1)
end

same(turns.text(), nil, 'nothing runs')
take({ kind = 'began', title = 'Add a cache', task = 'plan' })
same(turns.text(), 'finch reads: Add a cache', 'begun')
take({ kind = 'plan', uri = 'file:///p', hash = 'h', round = 2, state = 'attacking', open = 3 })
same(turns.text(), 'finch attacks the plan (round 2, 3 open): Add a cache', 'planning')
take({ kind = 'reasoning', text = 'h' })
take({ kind = 'reasoning', text = 'm' })
take({ kind = 'text', text = 'one\ntw' })
take({ kind = 'text', text = 'o' })
take({ kind = 'call', id = 'c', name = 'Read', arguments = '{"path":"a"}' })
take({ kind = 'of another version' })
take({ kind = 'began', title = 'b', task = 'ask' }, 'u')
same(turns.text(), 'finch calls Read: Add a cache (+1)', 'two run')
take({ kind = 'ended', outcome = 'stopped', message = 'stopped' }, 'u')
take({ kind = 'output', id = 'c', text = 'late' }, 'u')
same(#turns.running(), 1, 'what is late begins nothing')
turns.gone(1)
same(turns.text(), nil, 'the server is gone')
same(vim.tbl_map(function(turn) return turn.id end, turns.resumable()), { 'u', 't' }, 'what can go on')
take({ kind = 'step', number = 1, title = 'Write it', state = 'working' })
same(turns.text(), 'finch step 1: Write it, working: Add a cache', 'it goes on')
take({ kind = 'ended', outcome = 'done', message = 'all done' })
same(turns.lines(), {
  '=== plan: Add a cache (turn t)',
  '--- plan, round 2: attacking, 3 open: file:///p',
  'thinks: hm',
  'one',
  'two',
  '--> Read {"path":"a"}',
  '=== ask: b (turn u)',
  '=== stopped: stopped',
  'late',
  '--- step 1: Write it: working',
  '=== done: all done',
}, 'the log')
for at = 1, 30 do
  take({ kind = 'began', title = 'x', task = 'ask' }, 'n' .. at)
  take({ kind = 'ended', outcome = 'failed', message = 'no' }, 'n' .. at)
end
same(#turns.resumable() <= 20, true, 'how many are remembered')
for at = 1, 6000 do
  take({ kind = 'step', number = at, title = 's', state = 'done' }, 'long')
end
same(#turns.lines(), 5000, 'how long the log is')

-- What the plugin makes of names, definitions and diagnostics, without an editor:
--   nvim -l surroundings_check.lua PLUGIN
-- Fails with the first thing that is not as written here.

vim.opt.runtimepath:prepend(arg[1])
local surroundings = require('finch.surroundings')

local function same(got, wanted, what)
  if not vim.deep_equal(got, wanted) then
    error(('%s: %s, not %s'):format(what, vim.inspect(got), vim.inspect(wanted)), 2)
  end
end

-- The names near the `|` in the last line.
local function near(text, wanted)
  local lines = vim.split(text, '\n', { plain = true })
  local col = lines[#lines]:find('|', 1, true) - 1
  lines[#lines] = lines[#lines]:gsub('|', '')
  local names = surroundings.names_near(lines, 0, col)
  same(vim.tbl_map(function(name) return name.text end, names), wanted, text)
end

near('alpha(beta)\ngamma = delta(|beta, alpha)', { 'beta', 'delta', 'alpha', 'gamma' })
near('one, two, three\n|', { 'three', 'two', 'one' })
near('0xabc + ab + élan + _private + $dollar + a1b2|', { 'a1b2', '$dollar', '_private', 'élan' })
near(('word '):rep(300) .. '|', {})
near('a1a a2a a3a a4a a5a a6a a7a a8a a9a b1b b2b b3b b4b\n|', {
  'b4b', 'b3b', 'b2b', 'b1b', 'a9a', 'a8a', 'a7a', 'a6a', 'a5a', 'a4a', 'a3a', 'a2a',
})
same(surroundings.names_near({ 'x = outer', '  inner(' }, 7, 8), {
  { text = 'inner', row = 8, col = 2 },
  { text = 'outer', row = 7, col = 4 },
}, 'where names stand')

local function head(text, wanted)
  same(surroundings.head_of(vim.split(text, '\n', { plain = true })), wanted, text)
end

head('def one():\n    a = 1\n\n    return a\n\ndef two():', 'def one():\n    a = 1\n\n    return a')
head('fn one()\nwhere\n    T: Copy,\n{\n}\n\nfn two()', 'fn one()\nwhere\n    T: Copy,\n{\n}')
head(('line\n'):rep(30), vim.trim(('line\n'):rep(12)))
head('', '')
same(surroundings.head_of({}), '', 'the head of nothing')
same(vim.fn.strchars(surroundings.head_of({ ('ö'):rep(5000) })), 2000, 'the length of a head')

local function found(name, uri, row, text)
  return { name = name, place = { uri = uri, row = row, text = text } }
end

same(surroundings.definitions_of({
  found('near', 'file:///a', 90, 'near'),
  found('far', 'file:///a', 9, 'far'),
  found('other', 'file:///b', 50, 'other'),
  found('alias', 'file:///b', 50, 'other'),
  found('blank', 'file:///b', 60, ''),
}, 'file:///a', 50), {
  { name = 'far', uri = 'file:///a', text = 'far' },
  { name = 'other', uri = 'file:///b', text = 'other' },
}, 'the definitions to tell')

same(surroundings.diagnostics_of({
  { severity = 2, source = 'lint', lnum = 1, message = 'unused' },
  { severity = 1, lnum = 9, message = 'no such name\nsee there' },
  { severity = 1, source = 'finch', lnum = 2, message = 'ours' },
  { severity = 3, lnum = 3, message = 'by the way' },
}), { { line = 9, message = 'no such name' }, { line = 1, message = 'unused' } }, 'the diagnostics to tell')

local many = {}
for at = 1, 300 do
  many[at] = { severity = 1, lnum = at, message = ('m'):rep(400) }
end
same(#surroundings.diagnostics_of(many), 256, 'how many diagnostics')
same(#surroundings.diagnostics_of(many)[1].message, 300, 'how long a message')

local encoding = require('finch.encoding')
for _, text in ipairs({ 'abü𝄞', '' }) do
  same(encoding.is_utf8(text), true, text)
end
for _, text in ipairs({ 'ab\255c', '\195', '\237\160\128' }) do
  same(encoding.is_utf8(text), false, text)
end

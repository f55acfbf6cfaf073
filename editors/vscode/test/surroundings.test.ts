import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Recent } from '../src/recent.ts';
import { type Place, cut, definitionsOf, diagnosticsOf, headOf, namesNear } from '../src/surroundings.ts';

/** The names near the `|` in the last line. */
function near(text: string, names: string[]): void {
  const lines = text.split('\n');
  const character = lines.at(-1)?.indexOf('|') ?? -1;
  const shown = lines.map((line, at) => (at === lines.length - 1 ? line.replace('|', '') : line));
  assert.deepEqual(namesNear(shown, 0, character).map((name) => name.text), names);
}

test('names are taken from the cursor upwards, each once', () => {
  near('alpha(beta)\ngamma = delta(|beta, alpha)', ['beta', 'delta', 'alpha', 'gamma']);
  near('one, two, three\n|', ['three', 'two', 'one']);
});

test('a name is no number, no part of a word and not short', () => {
  near('0xabc + ab + élan + _private + $dollar + a1b2|', ['a1b2', '$dollar', '_private', 'élan']);
});

test('twelve names are enough, and lines of machines have none', () => {
  const names = Array.from({ length: 20 }, (_, at) => `name${at}`);
  near(`${names.join(' ')}|`, names.toReversed().slice(0, 12));
  near(`${'word '.repeat(300)}|`, []);
});

test('a name says where it stands', () => {
  assert.deepEqual(namesNear(['x = outer', '  inner('], 7, 8), [
    { text: 'inner', line: 8, character: 2 },
    { text: 'outer', line: 7, character: 4 },
  ]);
});

function head(text: string, kept: string): void {
  assert.equal(headOf(text.split('\n')), kept);
}

test('the head of a definition ends before the next thing', () => {
  head('def one():\n    a = 1\n\n    return a\n\ndef two():', 'def one():\n    a = 1\n\n    return a');
  head('fn one()\nwhere\n    T: Copy,\n{\n}\n\nfn two()', 'fn one()\nwhere\n    T: Copy,\n{\n}');
  head('  one: number;\n\n  two: number;', '  one: number;');
  head('', '');
});

test('the head of a definition is at most twelve lines and two thousand characters', () => {
  head('line\n'.repeat(30), 'line\n'.repeat(12).trimEnd());
  assert.equal(headOf(['x'.repeat(5000)]).length, 2000);
});

test('no character is cut in two', () => {
  assert.equal(cut('ab𝄞', 3), 'ab');
  assert.equal(cut('ab𝄞', 4), 'ab𝄞');
  assert.equal(cut('ab', 9), 'ab');
});

test('what stands near the cursor and what was said already is not told', () => {
  const place = (uri: string, line: number, text: string): Place => ({ uri, line, text });
  const told = definitionsOf(
    [
      ['near', place('file:///a', 90, 'near')],
      ['far', place('file:///a', 9, 'far')],
      ['other', place('file:///b', 50, 'other')],
      ['alias', place('file:///b', 50, 'other')],
      ['blank', place('file:///b', 60, '')],
    ],
    'file:///a',
    50,
  );
  assert.deepEqual(told, [
    { name: 'far', uri: 'file:///a', text: 'far' },
    { name: 'other', uri: 'file:///b', text: 'other' },
  ]);
});

test('errors and warnings of others are told, errors first', () => {
  const all = [
    { severity: 1, source: 'lint', line: 1, message: 'unused' },
    { severity: 0, line: 9, message: 'no such name\nsee there' },
    { severity: 0, source: 'finch', line: 2, message: 'ours' },
    { severity: 2, source: 'lint', line: 3, message: 'by the way' },
  ];
  assert.deepEqual(diagnosticsOf(all), [
    { line: 9, message: 'no such name' },
    { line: 1, message: 'unused' },
  ]);
  const many = Array.from({ length: 300 }, (_, line) => ({ severity: 1, line, message: 'm'.repeat(400) }));
  assert.equal(diagnosticsOf(many).length, 256);
  assert.equal(diagnosticsOf(many)[0]?.message.length, 300);
});

test('what was used longest ago is forgotten first', () => {
  const recent = new Recent<number>(2);
  recent.set('a', 1);
  recent.set('b', 2);
  assert.equal(recent.get('a'), 1);
  recent.set('c', 3);
  assert.deepEqual([recent.get('a'), recent.get('b'), recent.get('c')], [1, undefined, 3]);
  recent.forget((_, value) => value === 1);
  assert.deepEqual([recent.get('a'), recent.get('c')], [undefined, 3]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lines } from '../src/explain.ts';
import { lineReader, message } from '../src/progress.ts';
import { type Status, type View, facts, isStuck, label } from '../src/status.ts';

const ready: Status = { state: 'ready', provider: 'local', model: 'smollm2-135m' };

function says(view: Partial<View>, text: string, stuck = false): void {
  const whole: View = { server: 'running', enabled: true, ...view };
  assert.equal(label(whole), text);
  assert.equal(isStuck(whole), stuck);
}

test('the status bar names the model, and why there was no suggestion', () => {
  says({ status: ready }, '$(sparkle) finch smollm2-135m');
  says({ status: ready, reason: 'gate' }, '$(sparkle) finch smollm2-135m (gate)');
  says({ status: ready, reason: 'cancelled' }, '$(sparkle) finch smollm2-135m');
});

test('the status bar says what is being done', () => {
  says({ server: 'starting' }, '$(sync~spin) finch starting');
  says({}, '$(sync~spin) finch starting');
  says({ status: { ...ready, state: 'loading' } }, '$(sync~spin) finch loading');
  const half: Status = { state: 'downloading', provider: 'local', done: 1, total: 2 };
  says({ status: half }, '$(sync~spin) finch downloading 50%');
  says({ status: { ...half, total: null } }, '$(sync~spin) finch downloading');
});

test('the status bar warns where the user has to do something', () => {
  says({ server: 'missing' }, '$(warning) finch is not installed', true);
  says({ server: 'stopped' }, '$(warning) finch stopped', true);
  says({ status: { ...ready, state: 'absent' } }, '$(warning) finch has no model', true);
  says({ status: { ...ready, state: 'failed' } }, '$(warning) finch failed', true);
  says({ status: ready, enabled: false }, '$(circle-slash) finch off');
});

test('the status bar names who answers instead, and the tooltip what left', () => {
  const answered = { provider: 'groq', model: 'llama', instead_of: 'local: late' };
  const absent: Status = { state: 'absent', provider: 'local', answered, left: { requests: 2, bytes: 10, cost: 0.5 } };
  says({ status: absent }, '$(cloud) finch groq llama');
  says({ status: { ...ready, answered: { ...answered, provider: 'local' } } }, '$(sparkle) finch smollm2-135m');
  const told = facts(absent).split('\n').slice(2);
  assert.deepEqual(told, ['answered: groq llama', 'instead: local: late', 'left: 2 requests, 10 bytes today, cost 0.5000']);
});

test('facts and explanations are one a line', () => {
  assert.equal(facts({ ...ready, error: null }), 'state: ready\nmodel: smollm2-135m\nprovider: local');
  const explanation = { message: 'The cursor is inside a word.', reason: 'gate', uri: '', prompt_tokens: 0, ms: { prefill: 1.26, decode: 0 } };
  assert.equal(lines(explanation), 'The cursor is inside a word.\n  reason: gate\n  ms: prefill 1.3, decode 0');
});

test('progress of a setup is a message with percents', () => {
  assert.equal(message('fetching model.gguf: 412 MB of 988 MB, 12.0 s'), 'fetching model.gguf: 412 of 988 MB, 41%');
  assert.equal(message('building the model'), 'building the model');
  assert.equal(message('  '), undefined);
});

test('lines are whole, however the text arrives', () => {
  const seen: string[] = [];
  const read = lineReader((line) => seen.push(line));
  ['on', 'e\ntwo\r\nth', 'ree\n', 'begun'].forEach(read);
  assert.deepEqual(seen, ['one', 'two', 'three']);
});

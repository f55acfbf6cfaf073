import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type Ask, Lookup } from '../src/lookup.ts';
import type { Name, Place } from '../src/surroundings.ts';

const DOCUMENT = 'file:///main';
const LIBRARY = 'file:///library';

const names = (...texts: string[]): Name[] => texts.map((text) => ({ text, line: 0, character: 0 }));
const place = (text: string): Place => ({ uri: LIBRARY, line: 3, text: `def ${text}` });
const never = new AbortController().signal;

/** A look-up whose questions are written down. */
function asking(ask: Ask): { lookup: Lookup; asked: string[]; failed: unknown[] } {
  const [asked, failed]: [string[], unknown[]] = [[], []];
  const lookup = new Lookup(
    (document, name) => {
      asked.push(name.text);
      return ask(document, name);
    },
    (error) => failed.push(error),
  );
  return { lookup, asked, failed };
}

test('names are asked about once, until a document changes that they are about', async () => {
  const { lookup, asked } = asking(async (_, name) => (name.text === 'nothing' ? undefined : place(name.text)));
  const found = [['one', place('one')], ['two', place('two')]];
  const wanted = names('one', 'nothing', 'two');
  assert.deepEqual(await lookup.find(DOCUMENT, wanted, never), found);
  assert.deepEqual(await lookup.find(DOCUMENT, wanted, never), found);
  assert.deepEqual(asked.splice(0), ['one', 'nothing', 'two']);
  lookup.forget(DOCUMENT);
  assert.deepEqual(await lookup.find(DOCUMENT, wanted, never), found);
  assert.deepEqual(asked.splice(0), ['nothing']);
  lookup.forget(LIBRARY);
  await lookup.find(DOCUMENT, wanted, never);
  assert.deepEqual(asked.splice(0), ['one', 'two']);
  await lookup.find('file:///other', names('one'), never);
  assert.deepEqual(asked.splice(0), ['one']);
});

test('a failure is said, and the next name is asked about', async () => {
  const { lookup, failed } = asking(async (_, name) => {
    if (name.text === 'bad') {
      throw new Error('broken');
    }
    return place(name.text);
  });
  assert.deepEqual(await lookup.find(DOCUMENT, names('bad', 'good'), never), [['good', place('good')]]);
  assert.match(String(failed), /broken/);
});

test('after a cancellation nothing is told and nothing more is asked', async () => {
  const cancel = new AbortController();
  const { lookup, asked } = asking(async (_, name) => {
    cancel.abort();
    return place(name.text);
  });
  assert.equal(await lookup.find(DOCUMENT, names('one', 'two'), cancel.signal), undefined);
  assert.deepEqual(asked, ['one']);
});

test('a slow answer is not waited for, no second question is put beside it, and it is remembered', async () => {
  let answer: (place: Place) => void = () => undefined;
  const slow = new Promise<Place>((resolve) => {
    answer = resolve;
  });
  const { lookup, asked } = asking(async (_, name) => (name.text === 'slow' ? slow : place(name.text)));
  const started = Date.now();
  assert.deepEqual(await lookup.find(DOCUMENT, names('slow', 'next'), never), []);
  assert.ok(Date.now() - started < 5000);
  const again = lookup.find(DOCUMENT, names('next', 'slow'), never);
  assert.deepEqual(asked, ['slow']);
  answer(place('slow'));
  assert.deepEqual(await again, [['next', place('next')], ['slow', place('slow')]]);
  assert.deepEqual(asked, ['slow', 'next']);
});

test('a slow answer about a document that changed meanwhile is not remembered', async () => {
  const { lookup, asked } = asking(async (_, name) => {
    await Promise.resolve();
    lookup.forget(LIBRARY);
    return place(name.text);
  });
  assert.deepEqual(await lookup.find(DOCUMENT, names('one'), never), []);
  await lookup.find(DOCUMENT, names('one'), never);
  assert.deepEqual(asked, ['one', 'one']);
});

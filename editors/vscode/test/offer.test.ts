import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type After, type Change, type Offer, afterChange, offerOf, sameAs } from '../src/offer.ts';

const OFFER: Offer = { id: 7, cursor: 10, behind: 'ret', ahead: 'urn a + b\n    print(a)' };

function check(change: Change, after: After, offer = OFFER): void {
  assert.deepEqual(afterChange(offer, change), after);
}

const typed = (text: string): Change => ({ start: 10, length: 0, text });

test('a suggestion counts from what stands before the cursor', () => {
  assert.deepEqual(offerOf(7, 'return 1', 'ret', 10), { id: 7, cursor: 10, behind: 'ret', ahead: 'urn 1' });
  assert.equal(offerOf(7, 'return 1', 'rat', 10), undefined);
  assert.equal(offerOf(7, 'a\r\nb', '', 0)?.ahead, 'a\nb');
});

test('an accepted word is told, with its length from the start', () => {
  const offer = { id: 7, cursor: 13, behind: 'return', ahead: ' a + b\n    print(a)' };
  check(typed('urn'), { offer, accepted: { id: 7, length: 6, kind: 'word' } });
});

test('an accepted line is told, whatever ends it in the document', () => {
  const accepted = { id: 7, length: 13, kind: 'line' as const };
  check(typed('urn a + b\n'), {
    offer: { id: 7, cursor: 20, behind: 'return a + b\n', ahead: '    print(a)' },
    accepted,
  });
  check(typed('urn a + b\r\n'), {
    offer: { id: 7, cursor: 21, behind: 'return a + b\n', ahead: '    print(a)' },
    accepted,
  });
});

test('what the editor writes again before the cursor does not count', () => {
  const after = afterChange(OFFER, { start: 7, length: 3, text: 'return' });
  assert.deepEqual(after.accepted, { id: 7, length: 6, kind: 'word' });
});

test('typing the next letter keeps the offer and accepts nothing', () => {
  check(typed('u'), { offer: { id: 7, cursor: 11, behind: 'retu', ahead: 'rn a + b\n    print(a)' } });
});

test('a bracket closed by the editor is no accepted word', () => {
  const offer = { id: 1, cursor: 0, behind: '', ahead: '() { }' };
  check({ start: 0, length: 0, text: '()' }, { offer: { id: 1, cursor: 2, behind: '()', ahead: ' { }' } }, offer);
});

test('anything else ends the offer', () => {
  check(typed('x'), {});
  check(typed(''), {});
  check({ start: 4, length: 0, text: 'urn' }, {});
  check({ start: 9, length: 1, text: '' }, {});
  check({ start: 5, length: 5, text: 'xxreturn' }, {});
});

test('the rest of a suggestion, offered again, still counts from its start', () => {
  const rest = { ...OFFER, behind: '' };
  assert.deepEqual(sameAs(OFFER, rest), OFFER);
  assert.deepEqual(sameAs({ ...OFFER, id: 6 }, rest), rest);
  assert.deepEqual(sameAs({ ...OFFER, ahead: 'urn a' }, rest), rest);
  assert.deepEqual(sameAs(undefined, rest), rest);
});

test('the last part is told by the command of the suggestion', () => {
  check(typed(OFFER.ahead), {});
});

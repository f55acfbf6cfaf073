/**
 * What the user did with a suggestion, read from the changes of the document: the editor tells an extension neither
 * that a word or a line was accepted nor that typing went through a suggestion. Pure.
 */

/** A suggestion on offer. */
export interface Offer {
  id: number;
  /** Where the cursor is that the suggestion continues from, in UTF-16 units from the start of the document. */
  cursor: number;
  /** What of the suggestion stands before the cursor already. */
  behind: string;
  /** What is still suggested. */
  ahead: string;
}

/** One change: `length` units at `start` became `text`. */
export interface Change {
  start: number;
  length: number;
  text: string;
}

export interface Accepted {
  id: number;
  /** UTF-16 units from the start of the suggestion. */
  length: number;
  kind: 'word' | 'line';
}

export interface After {
  /** What is on offer now; absent when the change did something else, or took all of it. */
  offer?: Offer;
  accepted?: Accepted;
}

// A bracket or quote that the editor closed by itself looks like an accepted word.
const CLOSED_BY_EDITOR = ['()', '[]', '{}', '<>', '""', "''", '``'];

/** The offer that a suggestion makes, or none if it does not continue what stands before the cursor. */
export function offerOf(id: number, insert: string, replaced: string, cursor: number): Offer | undefined {
  const text = plain(insert);
  return text.startsWith(replaced) ? { id, cursor, behind: replaced, ahead: text.slice(replaced.length) } : undefined;
}

/** `now`, or the offer before it where that is the same but for knowing more of what was accepted. */
export function sameAs(before: Offer | undefined, now: Offer): Offer {
  const goesOn = before?.id === now.id && before.cursor === now.cursor && before.ahead === now.ahead;
  return goesOn ? before : now;
}

/** What a change makes of an offer. */
export function afterChange(offer: Offer, change: Change): After {
  const inserted = insertedAt(offer, change);
  if (inserted === undefined || inserted === '' || !plain(offer.ahead).startsWith(plain(inserted))) {
    return {};
  }
  const taken = plain(inserted);
  if (taken.length === offer.ahead.length) {
    // The editor runs the suggestion's command; that tells it.
    return {};
  }
  const next = {
    id: offer.id,
    cursor: offer.cursor + inserted.length,
    behind: offer.behind + taken,
    ahead: offer.ahead.slice(taken.length),
  };
  if (taken.length < 2 || CLOSED_BY_EDITOR.includes(taken)) {
    return { offer: next };
  }
  const kind = taken.endsWith('\n') ? 'line' : 'word';
  return { offer: next, accepted: { id: offer.id, length: next.behind.length, kind } };
}

/** The text that the change put at the cursor; the change may write again what stands before it. */
function insertedAt(offer: Offer, { start, length, text }: Change): string | undefined {
  const again = offer.behind.slice(offer.behind.length - length);
  const ends = start + length === offer.cursor && length <= offer.behind.length;
  return ends && text.startsWith(again) ? text.slice(length) : undefined;
}

function plain(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

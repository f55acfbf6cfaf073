/** How a question before an effect is shown, and what was answered. The effect is never cut and never Markdown. Pure. */

import { plain } from './plain.ts';
import type { Answer, Question } from './wire.ts';

/** What is longer would not be seen whole in a dialog. */
const DIALOG_LINES_MAX = 15;
const DIALOG_LENGTH_MAX = 1200;

/** What can be pressed. */
export interface Button {
  label: string;
  choice: string;
  /** Whether a reason is asked for first. */
  asksReason?: true;
}

/** Whether the whole effect can be seen in a dialog. */
export function fitsDialog({ effect }: Question): boolean {
  return effect.length <= DIALOG_LENGTH_MAX && effect.split('\n').length <= DIALOG_LINES_MAX;
}

/** The refusal first, as the Enter key takes the first, then what the server offers, then the refusal with a reason. */
export function buttons({ choices }: Question): Button[] {
  const offered = choices.map(({ id, label }) => ({ label: plain(label), choice: id }));
  const refusal = choices[0]?.id ?? 'no';
  return [...offered, { label: 'Deny with a reason…', choice: refusal, asksReason: true }];
}

/** The button behind which the others are. */
export const MORE = 'More…';

/** The labels where there is little room and a long one would be cut: no, once, and the rest behind one button. */
export function fewLabels(all: readonly Button[]): string[] {
  const [no, once] = all;
  const few = [no, once?.choice === 'once' ? once : undefined].flatMap((button) => button?.label ?? []);
  return [...few, MORE];
}

/** What stands below the title in a dialog. */
export function detail({ effect, why }: Question): string {
  return `${effect}\n\n${why}`;
}

/** The text of the document that shows the effect. */
export function document({ title, effect, why }: Question): string {
  return `${title}\n${why}\n\n${effect}\n`;
}

/** The ending of the document's name, by which the editor takes its language. */
export function ending({ effect }: Question): 'diff' | 'sh' | 'txt' {
  if (/^(@@ |\+\+\+ )/m.test(effect)) {
    return 'diff';
  }
  return effect.startsWith('Run ') ? 'sh' : 'txt';
}

/** The answer to exactly this question. */
export function answer({ id }: Question, choice: string, reason?: string): Answer {
  return { id, choice, ...(reason && { reason }) };
}

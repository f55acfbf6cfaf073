/** Asks for what belongs to a verdict on a suggestion, and makes the argument of the command `finch.feedback`. */

import * as vscode from 'vscode';

export type Verdict = 'good' | 'bad' | 'minor';

/** The one argument of `finch.feedback`. */
export interface Feedback {
  verdict: 'good' | 'bad';
  minor?: true;
  note?: string;
  id?: number;
}

/** The feedback, or nothing when the user breaks off. */
export async function askFeedback(verdict: Verdict, id: number | undefined): Promise<Feedback | undefined> {
  const about = id === undefined ? {} : { id };
  if (verdict === 'good') {
    return { verdict, ...about };
  }
  const note = await vscode.window.showInputBox({
    title: 'What was wrong with the suggestion?',
    placeHolder: 'Enter alone will do; what you write stays on this machine',
  });
  if (note === undefined) {
    return undefined;
  }
  return { verdict: 'bad', ...(verdict === 'minor' && { minor: true }), ...(note && { note }), ...about };
}

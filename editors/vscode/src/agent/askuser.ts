/** Puts the questions that the model has to the user, and says who asks. */

import * as vscode from 'vscode';

import { plain } from './plain.ts';
import type { Asked } from './wire.ts';

const TITLE = 'finch: the model asks';

interface Entry extends vscode.QuickPickItem {
  /** What is answered; nothing where the user says it in words of their own. */
  answer?: string;
}

/** One answer for each question, or null when the user breaks off. */
export async function askUser(
  { questions }: Asked,
  token: vscode.CancellationToken,
): Promise<{ answers: string[] } | null> {
  const answers: string[] = [];
  for (const [at, question] of questions.entries()) {
    const title = questions.length > 1 ? `${TITLE} (${at + 1}/${questions.length})` : TITLE;
    const answer = await one(title, question, token);
    if (answer === undefined || token.isCancellationRequested) {
      return null;
    }
    answers.push(answer);
  }
  return { answers };
}

async function one(
  title: string,
  { text, options, several }: Asked['questions'][number],
  token: vscode.CancellationToken,
): Promise<string | undefined> {
  const inWords = () => vscode.window.showInputBox({ title, prompt: text, ignoreFocusOut: true }, token);
  if (!options?.length) {
    return inWords();
  }
  const entries: Entry[] = options.map((option) => ({ label: plain(option), answer: option }));
  const ways = { title, placeHolder: text, ignoreFocusOut: true };
  if (several) {
    const chosen = await vscode.window.showQuickPick(entries, { ...ways, canPickMany: true }, token);
    return chosen?.map(({ answer }) => answer).join(', ');
  }
  const chosen = await vscode.window.showQuickPick([...entries, { label: 'Something else…' }], ways, token);
  return chosen && (chosen.answer ?? (await inWords()));
}

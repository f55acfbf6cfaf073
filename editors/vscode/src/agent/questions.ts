/**
 * Puts the agent's questions to the user, one after another: a short one in a dialog, a long one as a document beside
 * the code with the choices above it. Nothing that is closed, dismissed or taken back permits anything.
 */

import { randomUUID } from 'node:crypto';

import * as vscode from 'vscode';

import { askUser } from './askuser.ts';
import { Line } from './line.ts';
import { plain } from './plain.ts';
import { type Button, MORE, answer, buttons, detail, document, ending, fewLabels, fitsDialog } from './question.ts';
import type { Answer, Asked, Question } from './wire.ts';

/** Who permits something sooner after a dialog appeared was typing something else. */
const DEAF_MS = 500;

/** The scheme of documents that show an effect. */
export const SCHEME = 'finch-question';
/** Answers a question that is shown as a document; its arguments are the document and the number of the button. */
const ANSWER = 'finch.answerQuestion';

/** A question that is shown as a document. */
interface Shown {
  text: string;
  buttons: Button[];
  choose(button: Button | undefined): void;
}

export class Questions implements vscode.Disposable {
  readonly #line = new Line();
  readonly #shown = new Map<string, Shown>();
  readonly #disposables: vscode.Disposable[];
  readonly #changed: (open: number) => void;
  #open = 0;
  // Shows what waits to be shown.
  #begin: (() => void) | undefined;

  constructor(changed: (open: number) => void) {
    this.#changed = changed;
    this.#disposables = [
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
        provideTextDocumentContent: (uri) => this.#shown.get(uri.toString())?.text ?? 'This question has been answered.\n',
      }),
      vscode.languages.registerCodeLensProvider({ scheme: SCHEME }, { provideCodeLenses: ({ uri }) => this.#lenses(uri) }),
      vscode.commands.registerCommand(ANSWER, (key: string, at: number) => {
        const shown = this.#shown.get(key);
        shown?.choose(shown.buttons[at]);
      }),
      vscode.window.tabGroups.onDidChangeTabs(({ closed }) => closed.forEach((tab) => this.#closed(tab))),
    ];
  }

  /** The answer, or null, which is a no. */
  ask(question: Question, token: vscode.CancellationToken): Promise<Answer | null> {
    return this.#inTurn(token, () => this.#put(question, token));
  }

  /** The answers to what the model asks, or null where the user does not want to answer. */
  askUser(asked: Asked, token: vscode.CancellationToken): Promise<{ answers: string[] } | null> {
    return this.#inTurn(token, async () => ((await this.#wants(asked, token)) ? askUser(asked, token) : null));
  }

  /** Shows the question that waits. */
  async reveal(): Promise<void> {
    this.#begin?.();
    const [key] = this.#shown.keys();
    if (key !== undefined) {
      await show(vscode.Uri.parse(key, true));
    }
  }

  dispose(): void {
    for (const { choose } of this.#shown.values()) {
      choose(undefined);
    }
    for (const disposable of this.#disposables) {
      disposable.dispose();
    }
  }

  /** What `work` comes to when its turn has come, or null as soon as the question is taken back. */
  #inTurn<T>(token: vscode.CancellationToken, work: () => Promise<T | null>): Promise<T | null> {
    this.#count(1);
    return new Promise((resolve) => {
      token.onCancellationRequested(() => resolve(null));
      this.#line
        .add(async () => {
          if (!token.isCancellationRequested) {
            resolve(await work());
          }
        })
        .catch(() => resolve(null))
        .finally(() => this.#count(-1));
    });
  }

  // First a notification: a list that appears while the user types would take the keys.
  async #wants({ questions }: Asked, token: vscode.CancellationToken): Promise<boolean> {
    const text = `finch: the model asks: ${questions[0]?.text ?? ''}`;
    try {
      return await new Promise((resolve, reject) => {
        this.#begin = () => resolve(true);
        token.onCancellationRequested(() => resolve(false));
        const answer = 'Answer';
        vscode.window.showInformationMessage(plain(text), answer).then((name) => resolve(name === answer), reject);
      });
    } finally {
      this.#begin = undefined;
    }
  }

  #count(more: number): void {
    this.#open += more;
    this.#changed(this.#open);
  }

  async #put(question: Question, token: vscode.CancellationToken): Promise<Answer | null> {
    const button = fitsDialog(question) ? await inDialog(question, token) : await this.#inDocument(question, token);
    if (!button) {
      return null;
    }
    if (token.isCancellationRequested) {
      void vscode.window.showInformationMessage('finch: the question has been taken back; your answer has no effect.');
      return null;
    }
    const reason = button.asksReason && (await askReason(token));
    return answer(question, button.choice, reason || undefined);
  }

  async #inDocument(question: Question, token: vscode.CancellationToken): Promise<Button | undefined> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${randomUUID()}/The whole effect.${ending(question)}` });
    const all = buttons(question);
    let taken: vscode.Disposable | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#shown.set(uri.toString(), { text: document(question), buttons: all, choose: resolve });
        taken = token.onCancellationRequested(() => resolve(undefined));
        show(uri).then(() => this.#notify(question, uri, all), reject);
      });
    } finally {
      taken?.dispose();
      this.#shown.delete(uri.toString());
      await vscode.window.tabGroups.close(tabsOf(uri));
    }
  }

  // Not awaited: it may be hidden long before the question is answered, and the document stays.
  #notify({ title }: Question, uri: vscode.Uri, all: Button[]): void {
    const where = `${title}. The whole effect is in the document beside.`;
    vscode.window.showWarningMessage(plain(where), ...fewLabels(all)).then(async (label) => {
      const button = await pressed(label, all);
      const shown = this.#shown.get(uri.toString());
      if (shown) {
        shown.choose(button);
      } else if (label !== undefined) {
        void vscode.window.showInformationMessage('finch: the question is not open any more; your answer has no effect.');
      }
    });
  }

  #lenses(uri: vscode.Uri): vscode.CodeLens[] {
    const top = new vscode.Range(0, 0, 0, 0);
    const key = uri.toString();
    const all = this.#shown.get(key)?.buttons ?? [];
    return all.map(({ label }, at) => new vscode.CodeLens(top, { title: label, command: ANSWER, arguments: [key, at] }));
  }

  #closed(tab: vscode.Tab): void {
    if (tab.input instanceof vscode.TabInputText && tabsOf(tab.input.uri).length === 0) {
      this.#shown.get(tab.input.uri.toString())?.choose(undefined);
    }
  }
}

async function inDialog(question: Question, token: vscode.CancellationToken): Promise<Button | undefined> {
  const all = buttons(question);
  const options = { modal: true, detail: detail(question) };
  for (;;) {
    const since = Date.now();
    const label = await vscode.window.showWarningMessage(plain(question.title), options, ...fewLabels(all));
    const button = await pressed(label, all);
    const isNo = !button || button.choice === question.choices[0]?.id;
    if (isNo || token.isCancellationRequested || Date.now() - since >= DEAF_MS) {
      return button;
    }
  }
}

/** The button with this label, or the one that is chosen of all. */
async function pressed(label: string | undefined, all: readonly Button[]): Promise<Button | undefined> {
  if (label !== MORE) {
    return all.find((button) => button.label === label);
  }
  return vscode.window.showQuickPick(all, { title: 'finch: your answer', ignoreFocusOut: true });
}

async function askReason(token: vscode.CancellationToken): Promise<string | undefined> {
  const options = { title: 'finch: why not?', placeHolder: 'The model is told', ignoreFocusOut: true };
  return vscode.window.showInputBox(options, token);
}

async function show(uri: vscode.Uri): Promise<void> {
  const document = await vscode.workspace.openTextDocument(uri);
  // What is being typed goes on going where it went.
  const beside = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: false };
  await vscode.window.showTextDocument(document, beside);
}

function tabsOf(uri: vscode.Uri): vscode.Tab[] {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === uri.toString());
}

/** The user's commands for tasks: what each asks for, and what the server is sent. */

import * as vscode from 'vscode';

import { say } from '../say.ts';
import { plain, short } from './plain.ts';
import { withText, wanted } from './texts.ts';
import type { Turn, Turns } from './turns.ts';
import type { Range } from './wire.ts';

/** A line with one of these is a task. */
const TASK = /\b(TODO|FIXME)\b/;
const LABEL_LENGTH_MAX = 60;

/** Sends a command to the server; what goes wrong has been said when it ends. */
export type Send = (command: string, argument?: object) => Promise<void>;

interface Entry extends vscode.QuickPickItem {
  run(): unknown;
}

/** Where the cursor is. */
interface At {
  uri: string;
  range: Range;
  /** Whether it says what to do: a selection, or a line with a task. */
  isTask: boolean;
}

export class Palette {
  readonly #send: Send;
  readonly #turns: () => Turns;

  constructor(send: Send, turns: () => Turns) {
    this.#send = send;
    this.#turns = turns;
  }

  async plan(): Promise<void> {
    const at = here();
    const placeHolder = at?.isTask ? 'Enter alone takes the selection, or the line with TODO' : 'What should be done?';
    const task = await ask('finch: plan a task', placeHolder);
    if (task !== undefined && (task || at?.isTask)) {
      await this.#send('finch.plan', { ...(task && { task }), ...placeOf(at) });
    }
  }

  async ask(): Promise<void> {
    const text = await ask('finch: ask', 'Your question; the code at the cursor goes with it');
    if (text) {
      await this.#send('finch.ask', { text, ...placeOf(here()) });
    }
  }

  async explain(): Promise<void> {
    const at = here() ?? this.#nowhere();
    if (at) {
      await this.#send('finch.explain', placeOf(at));
    }
  }

  async edit(): Promise<void> {
    const at = here() ?? this.#nowhere();
    const instruction = at && (await ask('finch: edit by instruction', 'What should be done with this code?'));
    if (at && instruction) {
      await this.#send('finch.edit', { ...placeOf(at), instruction });
    }
  }

  async undo(): Promise<void> {
    await this.#send('finch.undoTurn', {});
  }

  /** Stops the turn that runs; of several, those that the user chooses. */
  async stop(): Promise<void> {
    const running = this.#turns().running();
    const [only, ...others] = running;
    if (!only || others.length === 0) {
      // Without a turn all are stopped, also those that this window has not heard of.
      return this.#send('finch.stop', {});
    }
    const entries: Entry[] = running.map((turn) => entry(turn, () => this.#send('finch.stop', { turn: turn.id })));
    const all = { label: 'All of them', run: () => this.#send('finch.stop', {}) };
    await choose('finch: stop', [...entries, all]);
  }

  async resume(): Promise<void> {
    const entries = this.#turns()
      .resumable()
      .map((turn) => entry(turn, () => this.#send('finch.resume', { turn: turn.id })));
    if (entries.length === 0) {
      return say(vscode.window.showInformationMessage, 'finch: no turn was interrupted. A plan goes on where you approve it again.');
    }
    await choose('finch: resume', entries);
  }

  #nowhere(): undefined {
    void vscode.window.showInformationMessage('finch: open a file and put the cursor where it should happen.');
  }
}

/** Asks for the text that a command of the server wants; nothing when the user breaks off. */
export async function completed(command: string, args: unknown[]): Promise<unknown[] | undefined> {
  const want = wanted(command, args);
  if (!want) {
    return args;
  }
  const text = await ask(want.title, want.placeHolder);
  return text === undefined || (want.isNeeded && !text) ? undefined : withText(args, want, text);
}

/** Shows what can be chosen, and does what is chosen. */
export async function choose(title: string, entries: Entry[]): Promise<void> {
  const chosen = await vscode.window.showQuickPick(entries, { title });
  await chosen?.run();
}

async function ask(title: string, placeHolder: string): Promise<string | undefined> {
  const text = await vscode.window.showInputBox({ title, placeHolder, ignoreFocusOut: true });
  return text?.trim();
}

function entry({ id, title, doing }: Turn, run: () => unknown): Entry {
  return { label: plain(short(title || id, LABEL_LENGTH_MAX)), description: plain(short(doing, LABEL_LENGTH_MAX)), run };
}

function here(): At | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor || !['file', 'untitled'].includes(editor.document.uri.scheme)) {
    return undefined;
  }
  const { document, selection } = editor;
  const line = document.lineAt(selection.active.line);
  const { start, end } = selection.isEmpty ? line.range : selection;
  const place = ({ line, character }: vscode.Position) => ({ line, character });
  return {
    uri: document.uri.toString(),
    range: { start: place(start), end: place(end) },
    isTask: !selection.isEmpty || TASK.test(line.text),
  };
}

function placeOf(at: At | undefined): { uri?: string; range?: Range } {
  return at ? { uri: at.uri, range: at.range } : {};
}

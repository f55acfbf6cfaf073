/** What the user sees of the turns: the output channel "finch agent", and a status bar item while there is something. */

import * as vscode from 'vscode';

import { say } from '../say.ts';
import { plain } from './plain.ts';
import { Script } from './script.ts';
import { type Turn, label, words } from './turns.ts';
import type { TurnEvent } from './wire.ts';

/** How long it is said that a turn is done, where nothing has to be decided. */
const SAID_MS = 5000;

export class Log implements vscode.Disposable {
  readonly #channel = vscode.window.createOutputChannel('finch agent');
  readonly #item = vscode.window.createStatusBarItem('finch.turns', vscode.StatusBarAlignment.Right, 101);
  readonly #script = new Script();

  constructor() {
    this.#item.name = 'finch: the agent';
    this.#item.command = 'finch.turnMenu';
  }

  write(event: TurnEvent): void {
    const text = this.#script.of(event);
    if (text) {
      this.#channel.append(text);
    }
  }

  /** Draws what runs and how many questions wait. */
  draw(running: readonly Turn[], questions: number): void {
    const text = label(running, questions);
    if (text === undefined) {
      this.#item.hide();
      return;
    }
    this.#item.text = text;
    this.#item.tooltip = [...running.map(words), 'Click to stop it, or to see more'].join('\n');
    this.#item.backgroundColor = questions > 0 ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
    this.#item.show();
  }

  show(): void {
    this.#channel.show(true);
  }

  /** Says how a turn ended, and what can be done now. */
  async ended({ id, task, ended, doing, uri }: Turn): Promise<void> {
    const text = `finch: ${doing}`;
    const open = uri && { Open: () => vscode.commands.executeCommand('vscode.open', vscode.Uri.parse(uri, true)) };
    const log = { 'Show Log': () => this.show() };
    if (ended === 'failed') {
      const resume = { Resume: () => vscode.commands.executeCommand('finch.resume', { turn: id }) };
      return say(vscode.window.showErrorMessage, text, { ...log, ...resume });
    }
    if (ended === 'done' && (task === 'work' || task === 'change')) {
      const undo = { Undo: () => vscode.commands.executeCommand('finch.undoTurn', { turn: id }) };
      return say(vscode.window.showInformationMessage, text, { ...undo, ...open, ...log });
    }
    vscode.window.setStatusBarMessage(plain(text), SAID_MS);
  }

  dispose(): void {
    this.#channel.dispose();
    this.#item.dispose();
  }
}

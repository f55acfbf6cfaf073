/** The status bar item: model, state and the last reason; a click opens the menu. */

import * as vscode from 'vscode';

import { type View, facts, isStuck, label } from './status.ts';

export class Bar implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem('finch.status', vscode.StatusBarAlignment.Right, 100);

  constructor() {
    this.#item.name = 'finch';
    this.#item.command = 'finch.menu';
    this.#item.show();
  }

  /** Draws what is known; `explanation` is about the last request. */
  show(view: View, explanation: string | undefined): void {
    this.#item.text = label(view);
    this.#item.tooltip = [explanation, view.status && facts(view.status)].filter(Boolean).join('\n\n') || 'finch';
    this.#item.backgroundColor = isStuck(view) ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  }

  dispose(): void {
    this.#item.dispose();
  }
}

/**
 * Keeps an open plan, review or answer as it is on the disk. The editor reloads a document that nobody has changed by
 * itself; here it is said once where somebody has, because then the editor leaves it alone.
 */

import * as vscode from 'vscode';

import { say } from '../say.ts';

export class Reload implements vscode.Disposable {
  // Documents of which it has been said.
  readonly #said = new Set<string>();
  readonly #listeners = [
    vscode.workspace.onDidSaveTextDocument(({ uri }) => this.#said.delete(uri.toString())),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#said.delete(uri.toString())),
  ];

  /** The file behind a document has changed. */
  changed(uri: string): void {
    const key = vscode.Uri.parse(uri, true).toString();
    const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === key);
    if (document?.isDirty && !this.#said.has(key)) {
      this.#said.add(key);
      const name = key.split('/').pop() ?? key;
      void say(vscode.window.showWarningMessage, `finch has changed ${name}, which you have changed too: save it over finch's, or revert it.`, {
        Compare: () => vscode.commands.executeCommand('workbench.files.action.compareWithSaved', document.uri),
      });
    }
  }

  dispose(): void {
    for (const listener of this.#listeners) {
      listener.dispose();
    }
  }
}

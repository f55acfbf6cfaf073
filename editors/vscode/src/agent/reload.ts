/**
 * Keeps an open plan, review or answer as it is on the disk. The editor reloads a document that nobody has changed when
 * it hears of the change, which it misses where it has only just begun to listen: then the file's time is set anew,
 * which it hears. Of a document that the user has changed too it is said once; the editor leaves it alone.
 */

import { readFile, utimes } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import * as vscode from 'vscode';

import { say } from '../say.ts';

/** When it is looked whether the editor has reloaded it, each after the one before. */
const LOOKS_MS = [250, 500, 1000, 2000, 4000];

export class Reload implements vscode.Disposable {
  readonly #failed: (error: unknown) => void;
  // Documents of which it has been said.
  readonly #said = new Set<string>();
  // The newest change that each document is looked after for.
  readonly #looking = new Map<string, AbortController>();
  readonly #listeners = [
    vscode.workspace.onDidSaveTextDocument(({ uri }) => this.#said.delete(uri.toString())),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#said.delete(uri.toString())),
  ];

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** The file behind a document has changed. */
  changed(uri: string): void {
    const key = vscode.Uri.parse(uri, true).toString();
    this.#looking.get(key)?.abort();
    const looking = new AbortController();
    this.#looking.set(key, looking);
    this.#look(key, looking.signal).catch((error) => looking.signal.aborted || this.#failed(error));
  }

  dispose(): void {
    for (const looking of this.#looking.values()) {
      looking.abort();
    }
    for (const listener of this.#listeners) {
      listener.dispose();
    }
  }

  async #look(key: string, signal: AbortSignal): Promise<void> {
    for (const ms of LOOKS_MS) {
      await pause(ms, undefined, { signal });
      const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === key);
      if (document?.isDirty) {
        return this.#tell(document);
      }
      // It may be opened yet.
      if (document && document.uri.scheme === 'file') {
        const file = document.uri.fsPath;
        const text = await readFile(file, 'utf8');
        if (!signal.aborted && plainly(text) !== plainly(document.getText())) {
          const now = new Date();
          await utimes(file, now, now);
        }
      }
    }
  }

  #tell(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    if (!this.#said.has(key)) {
      this.#said.add(key);
      const name = document.uri.path.split('/').pop() ?? key;
      const text = `finch has changed ${name}, which you have changed too: save it over finch's, or revert it.`;
      void say(vscode.window.showWarningMessage, text, {
        Compare: () => vscode.commands.executeCommand('workbench.files.action.compareWithSaved', document.uri),
      });
    }
  }
}

function plainly(text: string): string {
  return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
}

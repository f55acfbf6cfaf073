/**
 * Tells the server what the editor's other extensions know around a document: what is wrong in it, and what the names
 * near the cursor mean. It waits until the user rests, and never makes the user wait.
 */

import * as vscode from 'vscode';

import { readHead } from './head.ts';
import { Lookup } from './lookup.ts';
import { tells } from './options.ts';
import { Recent } from './recent.ts';
import { SERVED } from './server.ts';
import type { View } from './status.ts';
import { type Definition, LINES_ABOVE, type Place, type Told, definitionsOf, diagnosticsOf, namesNear } from './surroundings.ts';

/** How long diagnostics must stand still. */
const DIAGNOSTICS_PAUSE_MS = 300;
/** How long the cursor must rest. */
const REST_MS = 400;
/** Documents of which is remembered what was told. */
const TOLD_MAX = 256;

interface Params {
  uri: string;
  diagnostics?: Told[];
  definitions?: Definition[];
}

export class Context implements vscode.Disposable {
  readonly #log: vscode.LogOutputChannel;
  readonly #tell: (params: Params) => void;
  readonly #lookup: Lookup;
  readonly #listeners: vscode.Disposable[];
  /** What the server was told last, by kind and document. */
  #told = new Recent<string>(TOLD_MAX);
  #isRunning = false;
  #diagnosing: NodeJS.Timeout | undefined;
  #resting: NodeJS.Timeout | undefined;
  #looking = new AbortController();

  constructor(log: vscode.LogOutputChannel, tell: (params: Params) => void) {
    this.#log = log;
    this.#tell = tell;
    this.#lookup = new Lookup(define, (error) => log.debug(`no definition: ${error}`));
    const { window, workspace, languages } = vscode;
    this.#listeners = [
      languages.onDidChangeDiagnostics(({ uris }) => uris.some(isVisible) && this.#diagnoseSoon()),
      window.onDidChangeVisibleTextEditors(() => this.#diagnoseSoon()),
      window.onDidChangeTextEditorSelection(({ textEditor }) => this.#moved(textEditor.document)),
      window.onDidChangeActiveTextEditor((editor) => this.#moved(editor?.document)),
      window.onDidChangeWindowState(({ focused }) => focused && this.#lookup.forgetAll()),
      workspace.onDidChangeTextDocument((event) => this.#changed(event)),
      workspace.onDidCloseTextDocument((document) => this.#closed(document)),
      workspace.onDidGrantWorkspaceTrust(() => this.refresh()),
    ];
  }

  /** A new server knows nothing. */
  serverIs(state: View['server']): void {
    this.#isRunning = state === 'running';
    this.#told = new Recent(TOLD_MAX);
    this.refresh();
  }

  /** Tells again what may be told now. */
  refresh(): void {
    this.#diagnoseSoon();
    this.#restSoon();
  }

  dispose(): void {
    clearTimeout(this.#diagnosing);
    clearTimeout(this.#resting);
    this.#looking.abort();
    for (const listener of this.#listeners) {
      listener.dispose();
    }
  }

  #changed({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    if (contentChanges.length > 0) {
      this.#lookup.forget(document.uri.toString());
      this.#moved(document);
    }
  }

  #closed(document: vscode.TextDocument): void {
    const uri = document.uri.toString();
    this.#lookup.forget(uri);
    // The server forgets the diagnostics of a document that is closed.
    this.#told.forget((key) => key === `diagnostics ${uri}`);
  }

  #moved(document: vscode.TextDocument | undefined): void {
    if (document && document === vscode.window.activeTextEditor?.document) {
      this.#restSoon();
    }
  }

  #diagnoseSoon(): void {
    clearTimeout(this.#diagnosing);
    this.#diagnosing = setTimeout(() => this.#diagnose(), DIAGNOSTICS_PAUSE_MS);
  }

  #diagnose(): void {
    if (!this.#isRunning || !tells('diagnostics')) {
      return;
    }
    for (const { document } of vscode.window.visibleTextEditors) {
      if (isServed(document)) {
        const found = vscode.languages.getDiagnostics(document.uri);
        const all = found.map(({ severity, source, message, range }) => ({ severity, source, message, line: range.start.line }));
        this.#news(document, 'diagnostics', diagnosticsOf(all));
      }
    }
  }

  #restSoon(): void {
    this.#looking.abort();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      this.#define().catch((error) => this.#log.debug(`no definitions: ${error}`));
    }, REST_MS);
  }

  async #define(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !this.#isRunning || !isServed(editor.document) || !tells('definitions')) {
      return;
    }
    const { document, selection } = editor;
    const { line, character } = selection.active;
    const uri = document.uri.toString();
    const first = Math.max(0, line - LINES_ABOVE);
    const lines = Array.from({ length: line - first + 1 }, (_, at) => document.lineAt(first + at).text);
    this.#looking = new AbortController();
    const found = await this.#lookup.find(uri, namesNear(lines, first, character), this.#looking.signal);
    if (found) {
      this.#news(document, 'definitions', definitionsOf(found, uri, line));
    }
  }

  /** Tells what differs from what was told before. */
  #news(document: vscode.TextDocument, kind: 'diagnostics' | 'definitions', list: Told[] | Definition[]): void {
    const uri = document.uri.toString();
    const [key, text] = [`${kind} ${uri}`, JSON.stringify(list)];
    // Who was told nothing knows of nothing.
    if (this.#isRunning && !document.isClosed && text !== (this.#told.get(key) ?? '[]')) {
      this.#told.set(key, text);
      this.#tell({ uri, [kind]: list });
    }
  }
}

function isVisible(uri: vscode.Uri): boolean {
  return vscode.window.visibleTextEditors.some(({ document }) => document.uri.toString() === uri.toString());
}

function isServed(document: vscode.TextDocument): boolean {
  return vscode.languages.match(SERVED, document) > 0;
}

/** What other extensions say a name means. */
async function define(document: string, { line, character }: { line: number; character: number }): Promise<Place | undefined> {
  const [uri, position] = [vscode.Uri.parse(document, true), new vscode.Position(line, character)];
  const answers = await vscode.commands.executeCommand<(vscode.Location | vscode.LocationLink)[] | undefined>(
    'vscode.executeDefinitionProvider',
    uri,
    position,
  );
  const [answer] = answers ?? [];
  if (!answer) {
    return undefined;
  }
  const [target, range] =
    'targetUri' in answer ? [answer.targetUri, answer.targetRange] : [answer.uri, answer.range];
  const text = await readHead(target, range);
  return text === undefined ? undefined : { uri: target.toString(), line: range.start.line, text };
}

/** What the agent has the editor do: save documents, tell diagnostics, show and reload documents. */

import * as vscode from 'vscode';

import { within } from '../within.ts';
import { quiet } from './quiet.ts';
import type { Found } from './wire.ts';

/** How long saving one document may take; formatters and the like run with it. */
const SAVE_MS_MAX = 10_000;
/** How long diagnostics must stand still, and how long that is waited for. */
const DIAGNOSTICS_PAUSE = { quietMs: 500, maxMs: 5000 };
/** Diagnostics that are told at most, errors first. */
const DIAGNOSTICS_MAX = 500;

/** Saves documents without a question; the result names those that are not saved, and why. */
export async function save(uris: readonly string[]): Promise<{ failed: { uri: string; reason: string }[] }> {
  const failed: { uri: string; reason: string }[] = [];
  for (const uri of uris) {
    const reason = await within(SAVE_MS_MAX, saveOne(uri)).catch(String);
    if (reason !== undefined) {
      failed.push({ uri, reason });
    }
  }
  return { failed };
}

async function saveOne(uri: string): Promise<string | undefined> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
  const saved = !document.isDirty || (await document.save());
  return saved ? undefined : 'the editor did not save it: it may have changed on the disk, or be read-only';
}

/** What the editor's other extensions find wrong, once they have had a moment. */
export async function diagnostics(uris: readonly string[] | null | undefined): Promise<{ diagnostics: Found[] }> {
  await quiet((heard) => {
    const listener = vscode.languages.onDidChangeDiagnostics(heard);
    return () => listener.dispose();
  }, DIAGNOSTICS_PAUSE);
  const wanted = uris && new Set(uris.map((uri) => vscode.Uri.parse(uri, true).toString()));
  const all = vscode.languages
    .getDiagnostics()
    .filter(([uri]) => !wanted || wanted.has(uri.toString()))
    .flatMap(([uri, found]) => found.map((one) => told(uri, one)));
  return { diagnostics: all.toSorted((a, b) => a.severity - b.severity).slice(0, DIAGNOSTICS_MAX) };
}

function told(uri: vscode.Uri, { range, severity, message, source }: vscode.Diagnostic): Found {
  const { start, end } = range;
  return {
    uri: uri.toString(),
    range: {
      start: { line: start.line, character: start.character },
      end: { line: end.line, character: end.character },
    },
    // The editor counts from 0, the protocol from 1.
    severity: severity + 1,
    message,
    ...(source && { source }),
  };
}

/** How a document is shown. */
export interface Showing {
  selection?: vscode.Range | undefined;
  takeFocus?: boolean | undefined;
}

/** Shows a document where it is shown already, else beside the code; what is being typed goes on going where it went. */
export async function show(uri: vscode.Uri, { selection, takeFocus = false }: Showing = {}): Promise<void> {
  const shown = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
  const viewColumn = shown?.viewColumn ?? vscode.ViewColumn.Beside;
  const options = { viewColumn, preserveFocus: !takeFocus, preview: false };
  await vscode.window.showTextDocument(uri, { ...options, ...(selection && { selection }) });
}

/** Reads the head of a definition in a document, from the editor if it is open there, else from the disk. */

import * as vscode from 'vscode';

import { headOf } from './surroundings.ts';

/** Larger documents are left alone. */
const DOCUMENT_BYTES_MAX = 1024 * 1024;

/** The head of what begins at `range`, unless the document is no file, too large or no text. */
export async function readHead(uri: vscode.Uri, range: vscode.Range): Promise<string | undefined> {
  if (uri.scheme !== 'file') {
    return undefined;
  }
  const { size } = await vscode.workspace.fs.stat(uri);
  if (size > DOCUMENT_BYTES_MAX) {
    return undefined;
  }
  const lines = (await textOf(uri)).split(/\r?\n/).slice(range.start.line);
  const end = range.isSingleLine ? lines.length : range.end.line - range.start.line + 1;
  const head = headOf(lines.slice(0, end));
  return head.includes('\0') ? undefined : head;
}

/**
 * Not by `openTextDocument`: every language server would be told that the user opened the document, finch too, which
 * takes documents that were opened for places the user was at.
 */
async function textOf(uri: vscode.Uri): Promise<string> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
  return open?.getText() ?? new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
}

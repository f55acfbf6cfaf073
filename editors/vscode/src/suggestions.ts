/**
 * Stands between the editor and the language client for inline completion: remembers what is on offer, and tells the
 * server what became of it as far as an extension can see that. The editor itself runs the command of a suggestion
 * that was accepted whole.
 */

import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient';

import { type Offer, afterChange, offerOf, sameAs } from './offer.ts';

export interface Hooks {
  tell(method: string, params: object): void;
  /** The server has answered a request. */
  answered(): void;
}

type Next = Parameters<NonNullable<Middleware['provideInlineCompletionItems']>>[4];
type Answer = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

export class Suggestions implements vscode.Disposable {
  readonly middleware = { provideInlineCompletionItems: this.#provide.bind(this) };
  readonly #hooks: Hooks;
  readonly #listener: vscode.Disposable;
  #current: { uri: string; offer: Offer } | undefined;
  #lastId: number | undefined;
  #shownId: number | undefined;

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
    this.#listener = vscode.workspace.onDidChangeTextDocument((event) => this.#follow(event));
  }

  /** The suggestion that was offered last. */
  lastId(): number | undefined {
    return this.#lastId;
  }

  dispose(): void {
    this.#listener.dispose();
  }

  async #provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: Next,
  ): Promise<Answer> {
    const version = document.version;
    const answer = await next(document, position, context, token);
    if (token.isCancellationRequested) {
      return answer;
    }
    this.#hooks.answered();
    const [item] = Array.isArray(answer) ? answer : (answer?.items ?? []);
    const id: unknown = item?.command?.arguments?.[0]?.id;
    if (item && typeof id === 'number' && document.version === version) {
      this.#offer(id, item, document, position);
    }
    return answer;
  }

  #offer(id: number, item: vscode.InlineCompletionItem, document: vscode.TextDocument, position: vscode.Position): void {
    const before = item.range ? document.getText(new vscode.Range(item.range.start, position)) : '';
    const insert = typeof item.insertText === 'string' ? item.insertText : item.insertText.value;
    const offer = offerOf(id, insert, before, document.offsetAt(position));
    const version = document.version;
    this.#lastId = id;
    this.#current = offer && { uri: document.uri.toString(), offer: sameAs(this.#current?.offer, offer) };
    // Once the editor has had its turn: it shows a suggestion that still fits the text and the cursor.
    setImmediate(() => {
      const editor = vscode.window.activeTextEditor;
      const fits = editor?.document === document && document.version === version;
      if (fits && editor.selection.active.isEqual(position) && id !== this.#shownId) {
        this.#shownId = id;
        this.#hooks.tell('finch/didShow', { id });
      }
    });
  }

  #follow({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    const current = this.#current;
    if (!current || document.uri.toString() !== current.uri || contentChanges.length === 0) {
      return;
    }
    const [change, ...others] = contentChanges;
    const after =
      change && others.length === 0
        ? afterChange(current.offer, { start: change.rangeOffset, length: change.rangeLength, text: change.text })
        : {};
    this.#current = after.offer && { uri: current.uri, offer: after.offer };
    const accepted = after.accepted;
    if (accepted) {
      // Behind the change itself, which the language client tells after this.
      setImmediate(() => this.#hooks.tell('finch/didAccept', accepted));
    }
  }
}

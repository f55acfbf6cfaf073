/**
 * The agent in one window: what the server asks of the editor and tells it about turns, and the user's commands. Each
 * message has its module; this one joins them.
 */

import * as vscode from 'vscode';
import type { LanguageClient, Middleware } from 'vscode-languageclient/node';

import { say } from '../say.ts';
import { diagnostics, save, show } from './editor.ts';
import { Log } from './log.ts';
import { Palette, type Send, choose, completed } from './palette.ts';
import { Questions } from './questions.ts';
import { Reload } from './reload.ts';
import { needsTrust } from './texts.ts';
import { type Turn, Turns } from './turns.ts';
import type { Asked, Question, Range, TurnEvent } from './wire.ts';

/** Where the turns that ended are remembered. */
const REMEMBERED = 'finch.turns';
/** A server that wants to be started anew more often within the time is left as it is. */
const RESTARTS_MAX = 3;
const RESTARTS_WITHIN_MS = 60_000;

export interface Hooks {
  send: Send;
  restart(): Promise<void>;
  log: vscode.LogOutputChannel;
  memory: vscode.Memento;
}

export class Agent implements vscode.Disposable {
  readonly palette: Palette;
  readonly middleware: Middleware;
  readonly #hooks: Hooks;
  readonly #log = new Log();
  readonly #reload: Reload;
  readonly #questions: Questions;
  readonly #turns: Turns;
  #asked = 0;
  #restarts: number[] = [];

  constructor(hooks: Hooks) {
    this.#hooks = hooks;
    this.#turns = new Turns(hooks.memory.get<Turn[]>(REMEMBERED, []));
    this.#reload = new Reload((error) => hooks.log.debug(String(error)));
    this.#questions = new Questions((open) => {
      this.#asked = open;
      this.#draw();
    });
    this.palette = new Palette(hooks.send, () => this.#turns);
    this.middleware = {
      executeCommand: (command, args, next) => this.#execute(command, args, next),
      provideCodeActions: (document, range, context, token, next) =>
        vscode.workspace.isTrusted ? next(document, range, context, token) : [],
      // The status bar has an item of its own for turns.
      handleWorkDoneProgress: (token, params, next) => (isTurn(token) ? undefined : next(token, params)),
      window: {
        showDocument: async ({ uri, external, takeFocus, selection }) => {
          const target = vscode.Uri.parse(uri, true);
          if (external) {
            return { success: await vscode.env.openExternal(target) };
          }
          await show(target, { takeFocus, selection: selection && rangeOf(selection) });
          return { success: true };
        },
      },
    };
  }

  /** Answers a client's server. */
  serve(client: LanguageClient): void {
    client.onRequest('finch/approve', (question: Question, token) => this.#questions.ask(question, token));
    client.onRequest('finch/askUser', (asked: Asked, token) => this.#questions.askUser(asked, token));
    client.onRequest('finch/save', ({ uris }: { uris: string[] }) => save(uris));
    client.onRequest('finch/diagnostics', (params: { uris?: string[] | null }) => diagnostics(params.uris));
    client.onNotification('finch/restart', ({ reason }: { reason: string }) => this.#restart(reason));
    client.onNotification('finch/turnEvent', (event: TurnEvent) => this.#take(event));
    // In the library's place, which would make links of the text.
    client.onNotification('window/showMessage', ({ type, message }: Message) => void say(loudness(type), message));
    client.onRequest('window/showMessageRequest', async ({ type, message, actions }: Message) => {
      let chosen: { title: string } | null = null;
      const pairs = (actions ?? []).map((action) => [action.title, () => void (chosen = action)] as const);
      await say(loudness(type), message, Object.fromEntries(pairs));
      return chosen;
    });
  }

  /** The server has gone, or has begun. */
  gone(): void {
    this.#turns.interrupt();
    this.#draw();
    this.#remember();
  }

  showLog(): void {
    this.#log.show();
  }

  /** What a click on the status bar offers. */
  async menu(): Promise<void> {
    const documents = this.#turns.running().flatMap(({ uri }) => uri ?? []);
    const asks = { label: '$(bell-dot) Show the question', run: () => this.#questions.reveal() };
    await choose('finch', [
      ...(this.#asked > 0 ? [asks] : []),
      { label: '$(debug-stop) Stop', run: () => this.palette.stop() },
      ...documents.map((uri) => ({ label: '$(go-to-file) Open its document', run: () => show(vscode.Uri.parse(uri, true)) })),
      { label: '$(output) Show what it does', run: () => this.showLog() },
    ]);
  }

  dispose(): void {
    this.#questions.dispose();
    this.#reload.dispose();
    this.#log.dispose();
  }

  #take(event: TurnEvent): void {
    this.#turns.take(event);
    this.#log.write(event);
    this.#draw();
    if ('uri' in event && event.uri && (event.kind === 'plan' || event.kind === 'review' || event.kind === 'answer')) {
      this.#reload.changed(event.uri);
    }
    if (event.kind === 'ended') {
      this.#remember();
      const turn = this.#turns.get(event.turn);
      void (turn && this.#log.ended(turn));
    }
  }

  #draw(): void {
    this.#log.draw(this.#turns.running(), this.#asked);
  }

  #remember(): void {
    this.#hooks.memory.update(REMEMBERED, this.#turns.ended()).then(undefined, (error) => this.#hooks.log.debug(String(error)));
  }

  async #restart(reason: string): Promise<void> {
    const now = Date.now();
    this.#restarts = [...this.#restarts.filter((at) => now - at < RESTARTS_WITHIN_MS), now];
    if (this.#restarts.length > RESTARTS_MAX) {
      const often = `finch wants to be started anew again and again: ${reason}`;
      return say(vscode.window.showErrorMessage, often, { Restart: () => this.#hooks.restart() });
    }
    this.#hooks.log.info(`starting anew: ${reason}`);
    await this.#hooks.restart();
  }

  async #execute(command: string, args: unknown[], next: (command: string, args: unknown[]) => unknown): Promise<unknown> {
    if (needsTrust(command) && !vscode.workspace.isTrusted) {
      const untrusted = 'finch works on tasks only in folders that you trust.';
      const manage = () => vscode.commands.executeCommand('workbench.trust.manage');
      return say(vscode.window.showWarningMessage, untrusted, { 'Manage Trust': manage });
    }
    const all = await completed(command, args);
    return all && next(command, all);
  }
}

/** The parameters of `window/showMessage` and `window/showMessageRequest`. */
interface Message {
  type: number;
  message: string;
  actions?: { title: string }[];
}

/** Whether progress is that of a turn. */
function isTurn(token: string | number): boolean {
  return String(token).startsWith('finch-turn-');
}

function loudness(type: number): (text: string, ...names: string[]) => Thenable<string | undefined> {
  const { showErrorMessage, showWarningMessage, showInformationMessage } = vscode.window;
  return type === 1 ? showErrorMessage : type === 2 ? showWarningMessage : showInformationMessage;
}

function rangeOf({ start, end }: Range): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

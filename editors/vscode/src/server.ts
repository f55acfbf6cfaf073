/** The process `finch lsp` behind a language client: starts it, ends it, and hands on what it says of itself. */

import type * as vscode from 'vscode';
import { LanguageClient, type Middleware, State } from 'vscode-languageclient/node';

import { CLIENT } from './agent/wire.ts';
import type { Section } from './settings.ts';
import type { Status, View } from './status.ts';
import { within } from './within.ts';

/** How long a server may take to answer its first message, which finch does at once. */
const START_MS_MAX = 20_000;
/** How long a server may take to end in order. */
const STOP_MS_MAX = 2000;

/** The documents that finch serves. */
export const SERVED = [{ scheme: 'file' }, { scheme: 'untitled' }];

export interface Start {
  program: string;
  env: Record<string, string>;
  settings: Section;
}

export interface Events {
  onState(state: View['server']): void;
  onStatus(status: Status): void;
  /** Before the client starts: for whoever else answers its server. */
  onClient(client: LanguageClient): void;
}

export class Server {
  readonly #log: vscode.LogOutputChannel;
  readonly #middleware: Middleware;
  readonly #events: Events;
  #client: LanguageClient | undefined;

  constructor(log: vscode.LogOutputChannel, middleware: Middleware, events: Events) {
    this.#log = log;
    this.#middleware = middleware;
    this.#events = events;
  }

  async start({ program, env, settings }: Start): Promise<void> {
    const client = new LanguageClient(
      'finch',
      'finch',
      { command: program, args: ['lsp'], options: { env: { ...process.env, ...env } } },
      {
        documentSelector: SERVED,
        initializationOptions: { finch: { ...settings, client: CLIENT } },
        outputChannel: this.#log,
        middleware: this.#middleware,
      },
    );
    client.onDidChangeState(({ newState }) => {
      if (client === this.#client) {
        this.#events.onState(name(newState));
      }
    });
    client.onNotification('finch/status', (status: Status) => {
      if (client === this.#client) {
        this.#events.onStatus(status);
      }
    });
    this.#events.onClient(client);
    this.#client = client;
    await within(START_MS_MAX, client.start());
  }

  /** Ends the server if there is one. */
  async stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#events.onState('stopped');
    try {
      await client?.dispose(STOP_MS_MAX);
    } catch (error) {
      // It has gone by itself, or did not go in time and was ended.
      this.#log.debug(String(error));
    }
  }

  ask<T>(method: string, params: object): Promise<T> {
    if (!this.#client?.isRunning()) {
      return Promise.reject(new Error('the server does not run'));
    }
    return this.#client.sendRequest<T>(method, params);
  }

  /** Sends a notification; one that cannot be sent is lost. */
  tell(method: string, params: object): void {
    if (this.#client?.isRunning()) {
      this.#client.sendNotification(method, params).catch((error) => this.#log.debug(String(error)));
    }
  }
}

function name(state: State): View['server'] {
  switch (state) {
    case State.Running:
      return 'running';
    case State.Stopped:
      return 'stopped';
    default:
      return 'starting';
  }
}

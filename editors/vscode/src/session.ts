/**
 * One window's finch: the server, what it said, and what the user wants of it. The other modules do the work and know
 * nothing of each other.
 */

import * as vscode from 'vscode';

import { Agent } from './agent/agent.ts';
import { Bar } from './bar.ts';
import { find } from './binary.ts';
import { Context } from './context.ts';
import { type Explanation, lines } from './explain.ts';
import { type Verdict, askFeedback } from './feedback.ts';
import { environment, isEnabled, places, section, switchCompletion } from './options.ts';
import { type Actions, say } from './say.ts';
import { Server } from './server.ts';
import { type Section, forgets } from './settings.ts';
import { runSetup } from './setup.ts';
import type { Status, View } from './status.ts';
import { Suggestions } from './suggestions.ts';

/** How long typing must pause before the status bar asks what became of the last request. */
const EXPLAIN_PAUSE_MS = 250;

export class Session implements vscode.Disposable {
  readonly #extensionPath: string;
  readonly #log = vscode.window.createOutputChannel('finch', { log: true });
  readonly #bar = new Bar();
  readonly #suggestions: Suggestions;
  readonly #context: Context;
  readonly #agent: Agent;
  readonly #server: Server;
  readonly #listeners: vscode.Disposable;
  #view: View = { server: 'stopped', enabled: isEnabled() };
  #last: Explanation | undefined;
  #told: Section = {};
  #explaining: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #setupOffered = false;

  constructor(extensionPath: string, memory: vscode.Memento) {
    this.#extensionPath = extensionPath;
    this.#suggestions = new Suggestions({
      tell: (method, params) => this.#server.tell(method, params),
      answered: () => this.#explainSoon(),
    });
    this.#context = new Context(this.#log, (params) => this.#server.tell('finch/context', params));
    this.#agent = new Agent({
      send: (command, argument) => this.#execute(command, argument),
      restart: () => this.restart(),
      log: this.#log,
      memory,
    });
    this.#server = new Server(this.#log, { ...this.#suggestions.middleware, ...this.#agent.middleware }, {
      onState: (server) => {
        this.#show({ server, status: undefined, reason: undefined });
        this.#context.serverIs(server);
        if (server === 'stopped') {
          this.#agent.gone();
        }
      },
      onClient: (client) => this.#agent.serve(client),
      onStatus: (status) => this.#take(status),
    });
    this.#listeners = vscode.workspace.onDidChangeConfiguration((event) => this.#configure(event));
    this.#show({});
  }

  /** Starts the server, or says why it cannot. */
  start(): Promise<void> {
    return this.#inTurn(() => this.#begin());
  }

  restart(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#server.stop();
      await this.#begin();
    });
  }

  /** Ends the server in order. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#server.stop());
  }

  /** Fetches a model with `finch setup`, and starts the server anew to use it. */
  async setup(): Promise<void> {
    const found = find(places(this.#extensionPath));
    if ('problem' in found) {
      return this.#complain(found.problem, { 'Open Settings': openSettings });
    }
    const problem = await runSetup(found.program, environment(), this.#log);
    if (problem !== undefined) {
      return this.#complain(problem, { 'Show Log': () => this.showLog() });
    }
    await this.restart();
  }

  /** Says what became of the last request for a suggestion. */
  async explain(): Promise<void> {
    const explanation = await this.#ask<Explanation>('finch/explainLast', {});
    if (explanation) {
      this.#remember(explanation);
      const facts = lines(explanation);
      this.#log.info(facts);
      await say(vscode.window.showInformationMessage, `finch: ${explanation.message}`, {
        'Show All': () => this.showLog(),
      });
    }
  }

  /** Records what the user thinks of the last suggestion. */
  async feedback(verdict: Verdict): Promise<void> {
    const params = await askFeedback(verdict, this.#suggestions.lastId());
    if (params) {
      const call = { command: 'finch.feedback', arguments: [params] };
      const recorded = await this.#ask<{ id: number }>('workspace/executeCommand', call);
      if (recorded) {
        vscode.window.setStatusBarMessage('finch: noted', 3000);
      }
    }
  }

  /** The user's commands for tasks. */
  get agent(): Agent {
    return this.#agent;
  }

  isEnabled(): boolean {
    return this.#view.enabled;
  }

  /** Switches suggestions on or off where the user switched them last. */
  async toggle(): Promise<void> {
    await switchCompletion(!isEnabled());
  }

  showLog(): void {
    this.#log.show(true);
  }

  dispose(): void {
    clearTimeout(this.#explaining);
    this.#listeners.dispose();
    this.#suggestions.dispose();
    this.#context.dispose();
    this.#agent.dispose();
    this.#bar.dispose();
    this.#log.dispose();
  }

  // One at a time: two starts would leave a server behind that nobody knows.
  #inTurn(step: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(step, step);
    return this.#turn;
  }

  async #begin(): Promise<void> {
    const found = find(places(this.#extensionPath));
    if ('problem' in found) {
      this.#show({ server: 'missing' });
      // Not awaited: activation would wait for the user.
      void this.#complain(found.problem, { 'Open Settings': openSettings });
      return;
    }
    this.#told = section();
    try {
      await this.#server.start({ program: found.program, env: environment(), settings: this.#told });
    } catch (error) {
      this.#log.error(String(error));
      void this.#complain(`finch did not start: ${error}`, { 'Show Log': () => this.showLog() });
    }
  }

  async #configure(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (event.affectsConfiguration('finch.server')) {
      return this.restart();
    }
    if (!event.affectsConfiguration('finch.completion')) {
      return;
    }
    this.#context.refresh();
    const [before, now] = [this.#told, section()];
    this.#show({ enabled: isEnabled() });
    if (forgets(before, now)) {
      return this.restart();
    }
    this.#told = now;
    this.#server.tell('workspace/didChangeConfiguration', { settings: { finch: now } });
  }

  #take(status: Status): void {
    const isNews = status.state !== this.#view.status?.state;
    this.#show({ status });
    if (status.state === 'absent' && !this.#setupOffered) {
      this.#setupOffered = true;
      const question = 'finch has no model yet. It fetches one, about 0.5 GB, and keeps it on this machine.';
      void say(vscode.window.showInformationMessage, question, { 'Set Up finch': () => this.setup() });
    } else if (status.state === 'failed' && isNews) {
      const sentences = [status.error, status.next].filter(Boolean).join('; ');
      void this.#complain(`finch: ${sentences}`, { 'Show Log': () => this.showLog(), Restart: () => this.restart() });
    }
  }

  #explainSoon(): void {
    clearTimeout(this.#explaining);
    this.#explaining = setTimeout(() => {
      this.#server.ask<Explanation>('finch/explainLast', {}).then(
        (explanation) => this.#remember(explanation),
        (error) => this.#log.debug(`no explanation: ${error}`),
      );
    }, EXPLAIN_PAUSE_MS);
  }

  #remember(explanation: Explanation): void {
    this.#last = explanation;
    this.#show({ reason: explanation.reason ?? undefined });
  }

  #show(news: Partial<View>): void {
    this.#view = { ...this.#view, ...news };
    this.#bar.show(this.#view, this.#last && lines(this.#last));
  }

  async #execute(command: string, argument?: object): Promise<void> {
    const call = { command, ...(argument && { arguments: [argument] }) };
    await this.#ask('workspace/executeCommand', call);
  }

  async #ask<T>(method: string, params: object): Promise<T | undefined> {
    try {
      return await this.#server.ask<T>(method, params);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      await this.#complain(`finch: ${text}`, { 'Show Log': () => this.showLog() });
      return undefined;
    }
  }

  #complain(text: string, actions: Actions): Promise<void> {
    return say(vscode.window.showErrorMessage, text, actions);
  }
}

function openSettings(): Thenable<unknown> {
  return vscode.commands.executeCommand('workbench.action.openSettings', 'finch.server');
}

/** The entry point: makes the session, gives the commands their names, and ends everything with the editor. */

import * as vscode from 'vscode';

import { showMenu } from './menu.ts';
import { Session } from './session.ts';

// The editor calls two functions and hands nothing from one to the other.
let running: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const session = new Session(context.extensionPath, context.workspaceState);
  running = session;
  context.subscriptions.push(session);

  const { agent } = session;
  const commands: Record<string, () => unknown> = {
    'finch.explainLast': () => session.explain(),
    'finch.feedbackGood': () => session.feedback('good'),
    'finch.feedbackBad': () => session.feedback('bad'),
    'finch.feedbackMinor': () => session.feedback('minor'),
    'finch.toggle': () => session.toggle(),
    'finch.restart': () => session.restart(),
    'finch.setup': () => session.setup(),
    // Not finch.showLog, which is the server's.
    'finch.openLog': () => session.showLog(),
    'finch.planTask': () => agent.palette.plan(),
    'finch.askQuestion': () => agent.palette.ask(),
    'finch.explainCode': () => agent.palette.explain(),
    'finch.editByInstruction': () => agent.palette.edit(),
    'finch.undoLastTurn': () => agent.palette.undo(),
    'finch.stopTurn': () => agent.palette.stop(),
    'finch.resumeTurn': () => agent.palette.resume(),
    'finch.showTurns': () => agent.showLog(),
    'finch.turnMenu': () => agent.menu(),
    'finch.menu': () => showMenu(session.isEnabled()),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
  await session.start();
}

/** The editor waits for the server to end, but not long. */
export async function deactivate(): Promise<void> {
  await running?.stop();
}

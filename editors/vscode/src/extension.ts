/** The entry point: makes the session, gives the commands their names, and ends everything with the editor. */

import * as vscode from 'vscode';

import { showMenu } from './menu.ts';
import { Session } from './session.ts';

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const session = new Session(context.extensionPath);
  context.subscriptions.push(session);

  const commands: Record<string, () => unknown> = {
    'finch.explainLast': () => session.explain(),
    'finch.feedbackGood': () => session.feedback('good'),
    'finch.feedbackBad': () => session.feedback('bad'),
    'finch.feedbackMinor': () => session.feedback('minor'),
    'finch.toggle': () => session.toggle(),
    'finch.restart': () => session.restart(),
    'finch.setup': () => session.setup(),
    'finch.showLog': () => session.showLog(),
    'finch.menu': () => showMenu(session.isEnabled()),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
  await session.start();
}

/** What a click on the status bar offers. Each entry is a command. */

import * as vscode from 'vscode';

interface Entry extends vscode.QuickPickItem {
  command: string;
}

export async function showMenu(enabled: boolean): Promise<void> {
  const entries: Entry[] = [
    { label: '$(checklist) Plan a task…', command: 'finch.planTask' },
    { label: '$(comment) Ask…', command: 'finch.askQuestion' },
    { label: '$(list-tree) Show what the agent does', command: 'finch.showTurns' },
    { label: '$(question) Why no suggestion?', command: 'finch.explainLast' },
    { label: '$(thumbsup) The last suggestion was good', command: 'finch.feedbackGood' },
    { label: '$(thumbsdown) The last suggestion was bad', command: 'finch.feedbackBad' },
    { label: '$(edit) The last suggestion was a little off', command: 'finch.feedbackMinor' },
    enabled
      ? { label: '$(circle-slash) Switch suggestions off', command: 'finch.toggle' }
      : { label: '$(sparkle) Switch suggestions on', command: 'finch.toggle' },
    { label: '$(debug-restart) Restart the server', command: 'finch.restart' },
    { label: '$(cloud-download) Set up a model', command: 'finch.setup' },
    { label: '$(output) Show the log', command: 'finch.openLog' },
  ];
  const chosen = await vscode.window.showQuickPick(entries, { title: 'finch' });
  if (chosen) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

/** Runs `finch setup --yes` behind a notification that shows how far it is and can cancel it. */

import { spawn } from 'node:child_process';

import * as vscode from 'vscode';

import { lineReader, message } from './progress.ts';

/** What went wrong, in a sentence; nothing when all is well. */
export async function runSetup(
  program: string,
  env: Record<string, string>,
  log: vscode.LogOutputChannel,
): Promise<string | undefined> {
  const options = { location: vscode.ProgressLocation.Notification, title: 'finch', cancellable: true };
  return vscode.window.withProgress(options, (progress, token) => {
    let last = '';
    const onLine = (line: string): void => {
      const text = message(line);
      if (text !== undefined) {
        last = text;
        log.info(line);
        progress.report({ message: text });
      }
    };
    return new Promise((resolve) => {
      const child = spawn(program, ['setup', '--yes'], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child.stdout.setEncoding('utf8').on('data', lineReader(onLine));
      child.stderr.setEncoding('utf8').on('data', lineReader(onLine));
      // As Ctrl-C does, so that it stops in order and can go on another time.
      token.onCancellationRequested(() => child.kill('SIGINT'));
      child.on('error', (error) => resolve(`finch setup did not start: ${error.message}`));
      child.on('close', (code) => {
        const ended = token.isCancellationRequested ? 'finch setup was cancelled; it will go on where it stopped.' : last;
        resolve(code === 0 ? undefined : ended || `finch setup ended with ${code}`);
      });
    });
  });
}

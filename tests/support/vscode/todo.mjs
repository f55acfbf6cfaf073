/**
 * From a TODO to a checked edit and back, in VS Code with the real server: todo.mjs SETUP, where SETUP is the JSON of
 * what `open` takes, and `artefacts`, the folder for pictures, and `after`, the text of the file when the work is done.
 */

import path from 'node:path';
import { readFileSync } from 'node:fs';

import { open } from './workbench.mjs';

const setup = JSON.parse(process.argv[2]);
const started = Date.now();
const before = readFileSync(setup.file, 'utf8');
const workbench = await open(setup);
const { page } = workbench;
const picture = (name) => workbench.picture(path.join(setup.artefacts, `${name}.png`));
const lens = (name) => workbench.lens(name);

async function plan() {
  await workbench.press('Control+1', 'Control+Home', 'ArrowDown');
  await (await workbench.codeAction('Plan this task')).click();
  await lens('Approve and carry out').waitFor();
  await page.locator('.view-line', { hasText: 'Drop the empty parts' }).first().waitFor();
  await picture('vscode-plan');
  await lens('Approve and carry out').click();
}

/** Answers the question in a dialog. */
async function allow(title, name) {
  const dialog = page.locator('.monaco-dialog-box', { hasText: title });
  await dialog.getByRole('button', { name: 'Allow once', exact: true }).waitFor();
  await picture(name);
  // As long as it takes to read it.
  await page.waitForTimeout(600);
  await dialog.getByRole('button', { name: 'Allow once', exact: true }).click();
}

async function permit() {
  await allow('finch wants to change a file', 'vscode-question-file');
  await allow('finch wants to run a command', 'vscode-question');
}

async function undo() {
  const toast = await workbench.toast(/finch: /);
  await workbench.onDisk((text) => text === setup.after, 'as planned');
  await lens('Undo this turn').waitFor();
  await picture('vscode-done');
  await toast.getByRole('button', { name: 'Undo', exact: true }).click();
  await workbench.onDisk((text) => text === before, 'as it was');
  // The turn is over only then.
  await page.locator('.statusbar-item', { hasText: 'Taken back in one file' }).waitFor();
}

try {
  await workbench.press('Control+b');
  // No model for ghost text: the scripted one is asked about tasks alone.
  await workbench.status(/finch has no model/);
  await workbench.toast(/finch has no model yet/);
  await workbench.closeToasts();
  for (const part of [plan, permit, undo]) {
    await part();
    console.log(`${part.name}: done after ${Date.now() - started} ms`);
  }
} catch (error) {
  await picture('vscode-todo-failure');
  throw error;
} finally {
  await workbench.close();
}

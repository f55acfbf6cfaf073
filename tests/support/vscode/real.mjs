/**
 * A real model plans and works, as well as it can, and everything that it asks is denied: real.mjs SETUP, where SETUP is
 * the JSON of what `open` takes, and `artefacts`, the folder for pictures.
 */

import path from 'node:path';

import { open } from './workbench.mjs';

/** A small model on a busy machine. */
const TURN_MS_MAX = 240_000;
const LOOK_MS_MAX = 500;

const setup = JSON.parse(process.argv[2]);
const started = Date.now();
const workbench = await open(setup);
const { page } = workbench;

/** Denies what is asked until that is shown which comes at the end of the turn. */
async function denyUntil(end) {
  const dialog = page.locator('.monaco-dialog-box', { hasText: 'finch wants to' });
  const deny = dialog.getByRole('button', { name: 'Deny', exact: true });
  for (let denied = 0; ; ) {
    if (Date.now() - started > TURN_MS_MAX) {
      throw new Error('the turn does not end');
    }
    if (await end.waitFor({ timeout: LOOK_MS_MAX }).then(() => true, () => false)) {
      return `${(await end.innerText()).trim()} (denied: ${denied})`;
    }
    if (await deny.isVisible()) {
      // As long as it takes to read it.
      await page.waitForTimeout(600);
      await deny.click();
      denied += 1;
    }
  }
}

async function plan() {
  await workbench.press('Control+1', 'Control+Home', 'ArrowDown');
  await (await workbench.codeAction('Plan this task')).click();
  return denyUntil(workbench.lens('Approve and carry out'));
}

async function work() {
  await workbench.closeToasts();
  await workbench.lens('Approve and carry out').click();
  return denyUntil(page.locator('.notification-toast').filter({ hasText: /finch: / }).first());
}

/** The editor and the server are as they were. */
async function after() {
  await workbench.press('Control+1', 'Control+End');
  await workbench.type('# still here');
  await workbench.saved((text) => text.endsWith('# still here'), 'saved');
  return workbench.status(/finch smollm2-135m/);
}

try {
  await workbench.press('Control+b');
  await workbench.status(/finch smollm2-135m/);
  for (const part of [plan, work, after]) {
    console.log(`${part.name}: ${await part()}, after ${Date.now() - started} ms`);
  }
} catch (error) {
  await workbench.picture(path.join(setup.artefacts, 'vscode-real-failure.png'));
  throw error;
} finally {
  await workbench.close();
}

/**
 * What a user of the VS Code extension sees of the agent and answers: agent.mjs SETUP, where SETUP is the JSON of what
 * `open` takes, and `artefacts`, the folder for pictures, `plan`, the plan's file, and `hostile`, a text that would like
 * to be a link. The server is scripted: each answer brings the next question.
 */

import assert from 'node:assert/strict';
import path from 'node:path';

import { open } from './workbench.mjs';

const setup = JSON.parse(process.argv[2]);
const started = Date.now();
const workbench = await open(setup);
const { page } = workbench;
const picture = (name) => workbench.picture(path.join(setup.artefacts, `${name}.png`));
const dialog = (text) => page.locator('.monaco-dialog-box', { hasText: text });
const button = (within, name) => within.getByRole('button', { name, exact: true });
const lens = (name) => page.locator('.codelens-decoration a', { hasText: name });
const tab = (name) => page.locator('.tab', { hasText: name });
const EFFECT = 'The whole effect.diff';

/** Answers the input box that asks for something. */
async function say(title, text) {
  const box = page.locator('.quick-input-widget', { hasText: title });
  await box.waitFor();
  await box.locator('input').fill(text);
  await workbench.press('Enter');
}

async function plan() {
  await workbench.run('finch: Plan a Task…');
  await say('finch: plan a task', 'speed it up');
}

async function enterDenies() {
  const shown = dialog('finch wants to run a command');
  await shown.waitFor();
  // The whole effect, and nothing in it is a link.
  assert.ok((await shown.textContent()).includes(setup.hostile), await shown.textContent());
  assert.equal(await shown.locator('a[href], .dialog-message-detail a').count(), 0);
  await picture('vscode-question-hostile');
  await workbench.press('Enter');
}

/** Too soon to have been read, it does not count; later it does. */
async function allowOnce() {
  const allow = button(dialog('the second'), 'Allow once');
  await allow.click();
  await allow.waitFor();
  await page.waitForTimeout(600);
  await allow.click();
}

async function aLongOneIsADocument() {
  await tab(EFFECT).waitFor();
  // What is typed goes on going into the code.
  await workbench.type('x');
  await tab('main.py').and(page.locator('.dirty')).waitFor();
  await workbench.press('Control+z');
  await picture('vscode-question-long');
  await lens('Allow once').first().click();
  await tab(EFFECT).waitFor({ state: 'detached' });
}

async function denyWithAReason() {
  const toast = await workbench.toast(/the fourth/);
  await button(toast, 'More…').click();
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Deny with a reason…' }).click();
  await say('finch: why not?', 'too slow');
  await tab(EFFECT).waitFor({ state: 'detached' });
  await workbench.closeToasts();
}

async function takenBack() {
  await tab(EFFECT).waitFor();
  await page.locator('.statusbar-item', { hasText: 'finch asks' }).waitFor();
  await workbench.run('finch: Stop');
  await workbench.toast(/the sixth/);
}

async function closingIsNo() {
  await tab(EFFECT).waitFor();
  await tab(EFFECT).click({ button: 'middle' });
  await tab(EFFECT).waitFor({ state: 'detached' });
}

async function theModelAsks() {
  const toast = await workbench.toast(/the model asks: Which cache/);
  await button(toast, 'Answer').click();
  const box = page.locator('.quick-input-widget', { hasText: 'finch: the model asks' });
  await box.waitFor();
  await box.locator('.monaco-list-row', { hasText: 'disk' }).click();
  await say('How large?', '10 MB');
  await workbench.closeToasts();
}

async function thePlanIsReloaded() {
  await tab('task.md').waitFor();
  const line = page.locator('.view-line', { hasText: 'Round two' });
  const since = Date.now();
  await line.waitFor();
  console.log(`reloaded ${Date.now() - since} ms after the plan was shown`);
  await page.locator('.statusbar-item', { hasText: 'has settled the plan (round 2): speed it up' }).waitFor();
  await picture('vscode-plan-reloaded');
  await lens('Revise…').click();
  await say('finch: revise the plan', 'smaller steps');
  await lens('Approve and carry out').click();
}

async function editedSavedAndTold() {
  await page.locator('.view-line', { hasText: 'print' }).waitFor();
  await tab('main.py').and(page.locator(':not(.dirty)')).waitFor();
  await workbench.onDisk((text) => text.startsWith('print(1)\n'), 'edited');
}

async function whatFailsIsSaidPlainly() {
  const toast = await workbench.toast(/it failed/);
  assert.ok((await toast.textContent()).includes('](command:') === false, await toast.textContent());
  assert.equal(await toast.locator('.notification-list-item-message a').count(), 0);
  await picture('vscode-failed');
  await button(toast, 'Resume').click();
  const shown = await workbench.toast(/a message of the server/);
  assert.equal(await shown.locator('.notification-list-item-message a').count(), 0);
  await workbench.run('finch: Show What the Agent Does');
  // Its text is written by a native module that this workbench is installed without.
  const chosen = () => [...document.querySelectorAll('.panel select')].some((one) => one.selectedOptions[0]?.text === 'finch agent');
  await page.waitForFunction(chosen);
}

async function restarted() {
  await workbench.seesStatus(/finch (starting|stopped)/, () => workbench.run('finch: Explain'));
  await workbench.status(/finch scripted/);
}

try {
  await workbench.press('Control+b');
  await workbench.status(/finch scripted/);
  const parts = [plan, enterDenies, allowOnce, aLongOneIsADocument, denyWithAReason, takenBack, closingIsNo, theModelAsks];
  for (const part of [...parts, thePlanIsReloaded, editedSavedAndTold, whatFailsIsSaidPlainly, restarted]) {
    await part();
    console.log(`${part.name}: done after ${Date.now() - started} ms`);
  }
} catch (error) {
  await picture('vscode-agent-failure');
  throw error;
} finally {
  await workbench.close();
}

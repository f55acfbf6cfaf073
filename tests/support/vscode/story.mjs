/**
 * What a user of the VS Code extension sees, from the first start to a restart: story.mjs SETUP, where SETUP is the JSON
 * of what `open` takes, and `artefacts`, the folder for pictures, `go`, the file that ends the set-up of the model, and
 * `feedback`, whether the server takes any.
 */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { open } from './workbench.mjs';

const setup = JSON.parse(process.argv[2]);
const started = Date.now();
const workbench = await open({ ...setup, settings: { ...setup.settings, 'finch.server.path': '/nowhere/finch' } });
const picture = (name) => workbench.picture(path.join(setup.artefacts, `${name}.png`));

async function noProgram() {
  await workbench.status(/finch is not installed/);
  await workbench.toast(/finch\.server\.path names \/nowhere\/finch, which is not there/);
  await workbench.closeToasts();
  // The program that the extension carries.
  workbench.set(setup.settings);
}

async function firstRun() {
  await workbench.status(/finch has no model/);
  const question = await workbench.toast(/finch has no model yet/);
  await question.getByRole('button', { name: 'Set Up finch' }).click();
  await workbench.toast(/fetching the model: 41 of 82 MB, 50%/);
  await picture('vscode-setup');
  writeFileSync(setup.go, '');
  await workbench.status(/finch smollm2-135m/);
}

/** Types the head of a function behind everything, and returns what is suggested for its body. */
async function head(name) {
  await workbench.toEnd();
  await workbench.type(`\n\n\ndef ${name}(a, b):\n    `);
  return workbench.ghost();
}

async function acceptWordThenAll() {
  const ghost = await head('subtract');
  await picture('vscode-ghost-text');
  const word = /^\s*(\w+|[^\w\s]+)/.exec(ghost)[0];
  await workbench.press('Control+ArrowRight');
  await workbench.saved((text) => text.endsWith(`def subtract(a, b):\n    ${word}`), `continued by ${word}`);
  await workbench.ghost();
  await workbench.press('Tab');
  await workbench.saved((text) => text.includes(`def subtract(a, b):\n    ${ghost}`), `continued by ${ghost}`);
}

async function feedback() {
  await workbench.run('finch: The Last Suggestion Was Good');
  await workbench.page.locator('.statusbar-item', { hasText: 'finch: noted' }).waitFor();
}

async function acceptLine() {
  const ghost = await head('multiply');
  await workbench.press('Control+ArrowDown');
  await workbench.saved((text) => text.includes(`def multiply(a, b):\n    ${ghost}`), `continued by ${ghost}`);
}

async function whyNot() {
  await workbench.press('Control+Home', 'ArrowRight', 'ArrowRight');
  await workbench.type('x');
  await workbench.status(/finch smollm2-135m \(gate\)/);
  await workbench.run('finch: Why No Suggestion?');
  await workbench.toast(/finch: a word goes on behind the cursor/);
  await workbench.closeToasts();
  await workbench.hover(/a word goes on behind the cursor/);
  await picture('vscode-explain');
  await workbench.press('Control+z');
}

async function offAndOn() {
  await workbench.menu('Switch suggestions off');
  await workbench.status(/finch off/);
  await workbench.menu('Switch suggestions on');
  await workbench.status(/finch smollm2-135m/);
}

async function restart() {
  await workbench.seesStatus(/finch (starting|stopped|loading)/, () => workbench.run('finch: Restart the Server'));
  await workbench.status(/finch smollm2-135m/);
  assert.ok(await head('divide'));
}

try {
  await workbench.press('Control+b');
  const judged = setup.feedback ? [feedback] : [];
  for (const part of [noProgram, firstRun, acceptWordThenAll, ...judged, acceptLine, whyNot, offAndOn, restart]) {
    await part();
    console.log(`${part.name}: done after ${Date.now() - started} ms`);
  }
} catch (error) {
  await picture('vscode-failure');
  throw error;
} finally {
  await workbench.close();
}

/**
 * The VS Code workbench in a browser without a screen: starts code-server and Chromium, and has the few verbs of a
 * user. Both stay on this machine: the extension gallery is nobody's port, and no name but the loopback's resolves.
 * Waiting is always for something to be seen.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** No single wait is longer. */
const WAIT_MS_MAX = 90_000;

/** So long a list may take to show an entry that it has. */
const PICK_MS_MAX = 5_000;

/** So long the menu of code actions may take to show one, and so often it may be closed again. */
const MENU_MS_MAX = 5_000;
const MENU_TRIES_MAX = 10;

/** Between two looks at a file. */
const LOOK_PAUSE_MS = 50;

/** finch's status bar item. */
const ITEM = '.statusbar-item[id*="finch"]';

const SETTINGS = {
  // Only ghost text may write by itself.
  'editor.autoClosingBrackets': 'never',
  'editor.autoClosingQuotes': 'never',
  'editor.autoIndent': 'none',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'editor.minimap.enabled': false,
  'editor.fontFamily': 'DejaVu Sans Mono',
  'extensions.autoCheckUpdates': false,
  'files.autoSave': 'off',
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'window.commandCenter': false,
  'workbench.activityBar.location': 'hidden',
  'workbench.layoutControl.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.commandCenter.enabled': false,
  'chat.disableAIFeatures': true,
};

/**
 * Opens `file` in a new workbench.
 * @param {{tools: string, home: string, vsix: string, file: string, settings: object, chromium: string}} setup
 */
export async function open(setup) {
  const { tools, home, file } = setup;
  const folders = ['--user-data-dir', path.join(home, 'data'), '--extensions-dir', path.join(home, 'extensions')];
  write(home, 'User', SETTINGS);
  write(home, 'Machine', setup.settings);
  const environment = {
    ...process.env,
    HOME: home,
    XDG_CONFIG_HOME: path.join(home, 'config'),
    XDG_DATA_HOME: path.join(home, 'share'),
    EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: 'http://127.0.0.1:9/none' }),
  };
  const entry = path.join(tools, 'server/node_modules/code-server/out/node/entry.js');
  const run = { cwd: home, env: environment };
  const installed = spawnSync(process.execPath, [entry, ...folders, '--install-extension', setup.vsix], run);
  if (installed.status !== 0) {
    throw new Error(`the extension is not installed: ${installed.stdout}${installed.stderr}`);
  }

  const flags = ['--auth', 'none', '--disable-telemetry', '--disable-update-check', '--bind-addr', '127.0.0.1:0'];
  const server = spawn(process.execPath, [entry, ...folders, ...flags], { ...run, stdio: ['ignore', 'pipe', openSync(path.join(home, 'code-server.log'), 'a')] });
  const origin = await listening(server);

  const { chromium } = createRequire(path.join(tools, 'driver/'))('playwright-core');
  const browser = await chromium.launch({
    executablePath: setup.chromium,
    args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
  const page = await browser.newPage({ viewport: { width: 800, height: 420 } });
  page.setDefaultTimeout(WAIT_MS_MAX);
  const { host } = new URL(origin);
  // The page's own authority: another one would make a second model of the same file.
  const payload = JSON.stringify([['openFile', `vscode-remote://${host}${file}`]]);
  await page.goto(`${origin}/?folder=${path.dirname(file)}&payload=${encodeURIComponent(payload)}`, {
    waitUntil: 'commit',
  });
  await page.locator('.monaco-editor .view-lines').first().waitFor();
  return new Workbench(page, setup, async () => {
    await browser.close();
    server.kill();
  });
}

function write(home, scope, settings) {
  mkdirSync(path.join(home, 'data', scope), { recursive: true });
  writeFileSync(path.join(home, 'data', scope, 'settings.json'), JSON.stringify(settings));
}

/** The address that the server says it listens on. */
function listening(server) {
  return new Promise((resolve, reject) => {
    let said = '';
    server.stdout.setEncoding('utf8').on('data', (chunk) => {
      said += chunk;
      const [, origin] = /HTTP server listening on (http:\S+?)\/?\s/.exec(said) ?? [];
      if (origin) {
        resolve(origin);
      }
    });
    server.on('exit', () => reject(new Error(`code-server ended: ${said}`)));
  });
}

class Workbench {
  constructor(page, { home, file }, close) {
    this.page = page;
    this.home = home;
    this.file = file;
    this.close = close;
  }

  /** Writes the settings of the machine, where alone programs may be named. */
  set(settings) {
    write(this.home, 'Machine', settings);
  }

  /** Types into the editor. */
  async type(text) {
    await this.page.keyboard.type(text);
  }

  async press(...keys) {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** Runs a command of the palette by its title. The palette lists what there was when it opened. */
  async run(title) {
    await this.#pick(() => this.press('F1'), `>${title}`, title);
  }

  /** Opens a list and takes the entry, as soon as the list shows it as the one that Enter takes; else opens it anew. */
  async #pick(open, filter, entry) {
    const row = this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: entry });
    const until = Date.now() + WAIT_MS_MAX;
    for (;;) {
      await open();
      await this.page.locator('.quick-input-widget input').fill(filter);
      const isThere = await row.waitFor({ timeout: PICK_MS_MAX }).then(() => true, () => false);
      if (isThere || Date.now() > until) {
        break;
      }
      await this.press('Escape');
    }
    await row.waitFor({ timeout: PICK_MS_MAX });
    await this.press('Enter');
  }

  /** Puts the cursor behind the last character. */
  async toEnd() {
    await this.press('Control+1', 'Control+End');
  }

  /** Waits for ghost text at the cursor and returns its first line. */
  async ghost() {
    // One element for each colour; lines below the first are drawn elsewhere.
    const pieces = this.page.locator('.monaco-editor .view-line .ghost-text-decoration');
    await pieces.first().waitFor();
    return (await pieces.allTextContents()).join('').replaceAll('\u00a0', ' ');
  }

  /** Waits until finch's status bar item says something that fits, and returns it. */
  async status(pattern) {
    const item = this.page.locator(ITEM).filter({ hasText: pattern });
    await item.first().waitFor();
    return (await item.first().textContent()).trim();
  }

  /** Does something and waits until finch's status bar item has said something that fits, however short it was there. */
  async seesStatus(pattern, act) {
    await this.page.evaluate((item) => {
      const said = (window.finchSaid = []);
      const note = () => said.push(...[...document.querySelectorAll(item)].map((one) => one.textContent ?? ''));
      new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
    }, ITEM);
    await act();
    const source = pattern.source;
    await this.page.waitForFunction((source) => window.finchSaid.some((text) => new RegExp(source).test(text)), source);
  }

  /** Chooses from the menu behind finch's status bar item. */
  async menu(entry) {
    await this.#pick(() => this.page.locator(ITEM).click(), entry, entry);
    await this.page.mouse.move(0, 0);
  }

  /** Holds the pointer over finch's status bar item until that explains itself. */
  async hover(pattern) {
    await this.page.locator(ITEM).hover();
    await this.page.locator('.hover-contents', { hasText: pattern }).waitFor();
  }

  /** Waits for a notification that says something that fits, until it stands still. */
  async toast(pattern) {
    const toast = this.page.locator('.notification-toast').filter({ hasText: pattern }).first();
    await toast.waitFor();
    await toast.evaluate((shown) => {
      // A progress bar moves for ever.
      const ends = (animation) => Number.isFinite(animation.effect.getComputedTiming().endTime);
      const moving = shown.getAnimations({ subtree: true }).filter(ends);
      return Promise.allSettled(moving.map((animation) => animation.finished));
    });
    return toast;
  }

  async closeToasts() {
    await this.run('Notifications: Clear All Notifications');
    await this.page.locator('.notification-toast').first().waitFor({ state: 'detached' });
  }

  /** Opens the menu until it stands: the workbench still changes its own settings at first, which closes it. */
  async codeAction(title) {
    const row = this.page.locator('.action-widget .monaco-list-row', { hasText: title });
    for (let tries = 1; ; tries += 1) {
      await this.press('Escape', 'Control+.');
      try {
        await row.waitFor({ timeout: MENU_MS_MAX });
        return row;
      } catch (error) {
        if (tries === MENU_TRIES_MAX) {
          throw error;
        }
      }
    }
  }

  lens(name) {
    return this.page.locator('.codelens-decoration a', { hasText: name });
  }

  /** Saves until the file on the disk is as wanted, and returns it. */
  async saved(fits, what) {
    const until = Date.now() + WAIT_MS_MAX;
    for (;;) {
      await this.press('Control+s');
      // Every group of editors has an active tab.
      await this.page.locator('.editor-group-container.active .tab.active:not(.dirty)').waitFor();
      const text = readFileSync(this.file, 'utf8');
      if (fits(text)) {
        return text;
      }
      if (Date.now() > until) {
        throw new Error(`the file is not ${what}: ${JSON.stringify(text)}`);
      }
    }
  }

  /** Waits until the file on the disk is as wanted, without saving it. */
  async onDisk(fits, what) {
    const until = Date.now() + WAIT_MS_MAX;
    while (!fits(readFileSync(this.file, 'utf8'))) {
      if (Date.now() > until) {
        throw new Error(`the file is not ${what}: ${JSON.stringify(readFileSync(this.file, 'utf8'))}`);
      }
      await this.page.waitForTimeout(LOOK_PAUSE_MS);
    }
  }

  async picture(file) {
    await this.page.screenshot({ path: file });
  }
}

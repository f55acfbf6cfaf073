import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { Line } from '../src/agent/line.ts';
import { plain, short } from '../src/agent/plain.ts';
import { answer, buttons, detail, document, ending, fewLabels, fitsDialog } from '../src/agent/question.ts';
import { quiet } from '../src/agent/quiet.ts';
import { Script } from '../src/agent/script.ts';
import { needsTrust, wanted, withText } from '../src/agent/texts.ts';
import { Turns, label, words } from '../src/agent/turns.ts';
import { CLIENT, type Question, type TurnEvent } from '../src/agent/wire.ts';

const QUESTION: Question = {
  turn: 't1',
  id: 7,
  title: 'finch wants to run a command',
  effect: 'Run in /home/me/app, without the network:\ncargo test',
  why: 'commands are asked about',
  choices: [
    { id: 'no', label: 'Deny' },
    { id: 'once', label: 'Allow once' },
    { id: 'like', label: 'Always allow in this workspace: cargo test *' },
  ],
};

test('text of a model makes no link, no picture and no mnemonic', () => {
  const attack = '[x](command:workbench.action.terminal.sendSequence?1) $(trash) a && b &&& c [y](https://example.com)';
  const shown = plain(attack);
  assert.doesNotMatch(shown, /\[[^\]]+\]\((command|https?|file):/);
  assert.doesNotMatch(shown, /\$\(/);
  assert.doesNotMatch(shown, /&&/);
  assert.equal(plain('a plain (text) [with] brackets & more'), 'a plain (text) [with] brackets & more');
});

test('a shortened text is one line and cuts no character in two', () => {
  assert.equal(short('one\n two\tthree', 20), 'one two three');
  assert.equal(short('abcdef', 4), 'abc…');
  assert.equal(short('ab𝄞d', 4), 'ab…');
});

/** The files of the extension. */
function sources(): [name: string, text: string][] {
  const names = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return names.map((name) => [name, readFileSync(path.join('src', name), 'utf8')]);
}

test('nowhere is Markdown shown, let alone trusted, and no link runs a command', () => {
  const forbidden = /isTrusted\s*[:=]\s*true|isTrusted\s*=|supportHtml|supportThemeIcons|MarkdownString|command:(?!\s)\w|createWebviewPanel/;
  const all = sources();
  assert.ok(all.length > 20);
  for (const [name, text] of all) {
    assert.doesNotMatch(text.replaceAll(/^\s*(\*|\/\/|\/\*\*).*$/gm, ''), forbidden, name);
  }
});

test('every notification shows its text plainly', () => {
  // The functions themselves, handed to what makes the text plain, or called with a text of finch's own.
  const called = /show(?:Error|Warning|Information)Message\(([^)]*)/g;
  for (const [name, text] of sources()) {
    for (const [, first = ''] of text.matchAll(called)) {
      assert.match(first, /^(plain\(|\s*'[^']*')/, `${name}: ${first}`);
    }
    for (const [, first = ''] of text.matchAll(/setStatusBarMessage\(([^)]*)/g)) {
      assert.match(first, /^(plain\(|'[^']*')/, `${name}: ${first}`);
    }
  }
});

test('the refusal comes first, and what was offered keeps its order', () => {
  const labels = buttons(QUESTION).map((button) => button.label);
  assert.deepEqual(labels, ['Deny', 'Allow once', 'Always allow in this workspace: cargo test *', 'Deny with a reason…']);
  assert.deepEqual(buttons(QUESTION).at(-1), { label: 'Deny with a reason…', choice: 'no', asksReason: true });
  const joined = { ...QUESTION, choices: [{ id: 'no', label: 'Deny' }, { id: 'like', label: 'a && b' }] };
  assert.equal(buttons(joined)[1]?.label, 'a & & b');
});

test('where there is little room long labels stand behind one button', () => {
  assert.deepEqual(fewLabels(buttons(QUESTION)), ['Deny', 'Allow once', 'More…']);
  assert.deepEqual(fewLabels(buttons({ ...QUESTION, choices: [{ id: 'no', label: 'Deny' }] })), ['Deny', 'More…']);
});

test('what is shown is the whole effect', () => {
  const effect = Array.from({ length: 400 }, (_, at) => `line ${at}`).join('\n');
  assert.ok(document({ ...QUESTION, effect }).includes(effect));
  assert.ok(detail(QUESTION).includes(QUESTION.effect) && detail(QUESTION).includes(QUESTION.why));
});

test('a long effect goes into a document of its language', () => {
  const lines = (count: number): Question => ({ ...QUESTION, effect: 'x\n'.repeat(count - 1) + 'x' });
  assert.equal(fitsDialog(lines(15)), true);
  assert.equal(fitsDialog(lines(16)), false);
  assert.equal(fitsDialog({ ...QUESTION, effect: 'x'.repeat(1201) }), false);
  assert.equal(ending(QUESTION), 'sh');
  assert.equal(ending({ ...QUESTION, effect: 'Change /a\n--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y' }), 'diff');
  assert.equal(ending({ ...QUESTION, effect: 'Fetch https://example.com' }), 'txt');
});

test('an answer names its question', () => {
  assert.deepEqual(answer(QUESTION, 'once'), { id: 7, choice: 'once' });
  assert.deepEqual(answer(QUESTION, 'no', 'too slow'), { id: 7, choice: 'no', reason: 'too slow' });
  assert.deepEqual(answer(QUESTION, 'no', ''), { id: 7, choice: 'no' });
});

test('questions are put one after another, also after one that failed', async () => {
  const line = new Line();
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await new Promise(setImmediate);
    seen.push(`${name} ends`);
  };
  const failed = line.add(() => Promise.reject(new Error('closed')));
  await Promise.all([assert.rejects(failed), line.add(work('a')), line.add(work('b'))]);
  assert.deepEqual(seen, ['a begins', 'a ends', 'b begins', 'b ends']);
});

test('diagnostics have to stand still, but are not waited for without end', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let heard = (): void => undefined;
  let listening = true;
  const ended = { done: false };
  const wait = (): void => {
    void quiet((hear) => ((heard = hear), () => (listening = false)), { quietMs: 500, maxMs: 5000 }).then(() => (ended.done = true));
  };
  const after = async (ms: number): Promise<boolean> => {
    context.mock.timers.tick(ms);
    await new Promise(setImmediate);
    return ended.done;
  };
  wait();
  assert.equal(await after(499), false);
  heard();
  assert.equal(await after(499), false);
  assert.equal(await after(1), true);
  assert.equal(listening, false);
  ended.done = false;
  wait();
  for (let at = 0; at < 12; at += 1) {
    heard();
    assert.equal(await after(400), false);
  }
  assert.equal(await after(200), true);
});

const event = (rest: object, turn = 't1'): TurnEvent => ({ turn, ...rest }) as TurnEvent;
const began = event({ kind: 'began', title: 'Add a cache', task: 'plan' });

/** What the status bar says after these events. */
function says(events: TurnEvent[], text: string | undefined): void {
  const turns = new Turns();
  events.forEach((one) => turns.take(one));
  assert.equal(label(turns.running(), 0), text);
}

test('the status bar says what the turn does', () => {
  says([], undefined);
  says([began], '$(loading~spin) finch reads: Add a cache');
  const plan = event({ kind: 'plan', uri: 'file:///p.md', hash: 'h', round: 2, state: 'attacking', open: 3 });
  says([began, plan], '$(loading~spin) finch attacks the plan (round 2, 3 open): Add a cache');
  says([began, plan, { ...plan, state: 'unheard-of' } as TurnEvent], '$(loading~spin) finch attacks the plan (round 2, 3 open): Add a cache');
  const step = event({ kind: 'step', number: 2, title: 'Write it', state: 'checking' });
  says([began, step], '$(loading~spin) finch step 2: Write it, checking: Add a cache');
  says([began, event({ kind: 'ended', outcome: 'done', message: 'planned' })], undefined);
  says([began, event({ kind: 'began', title: 'b', task: 'ask' }, 't2')], '$(loading~spin) finch reads: Add a cache (+1)');
  assert.equal(label([], 1), '$(bell-dot) finch asks');
});

test('the title of a turn makes no picture', () => {
  assert.equal(words({ id: 't', title: '$(trash)', task: 'plan', doing: 'reads' }), 'reads: $ (trash)');
});

test('turns that were interrupted can go on, and go on with the next event', () => {
  const turns = new Turns();
  turns.take(began);
  turns.interrupt();
  assert.deepEqual(turns.resumable().map(({ id, doing }) => [id, doing]), [['t1', 'was interrupted']]);
  turns.take(event({ kind: 'step', number: 1, title: 's', state: 'working' }));
  assert.equal(turns.running().length, 1);
  turns.take(event({ kind: 'ended', outcome: 'done', message: 'done' }));
  turns.take(event({ kind: 'output', id: 'c', text: 'late' }));
  assert.deepEqual([turns.running(), turns.resumable()], [[], []]);
});

test('of turns that ended the last twenty are remembered, also by the next window', () => {
  const turns = new Turns();
  for (let at = 0; at < 30; at += 1) {
    turns.take(event({ kind: 'began', title: `t${at}`, task: 'ask' }, `${at}`));
    turns.take(event({ kind: 'ended', outcome: 'failed', message: 'no' }, `${at}`));
  }
  assert.equal(turns.ended().length, 20);
  assert.equal(new Turns(turns.ended()).resumable()[0]?.id, '29');
  assert.deepEqual(new Turns([null, { id: 1 }] as never).ended(), []);
});

test('what is streamed goes on in its line, and everything else has one of its own', () => {
  const script = new Script();
  const events = [
    began,
    event({ kind: 'reasoning', text: 'hm' }),
    event({ kind: 'reasoning', text: 'm' }),
    event({ kind: 'text', text: 'I ' }),
    event({ kind: 'text', text: 'read' }),
    event({ kind: 'call', id: 'c', name: 'Read', arguments: '{"path":"a.rs"}' }),
    event({ kind: 'called', id: 'c', text: '3 lines', failed: false }),
    event({ kind: 'ended', outcome: 'done', message: 'planned' }),
    event({ kind: 'unheard-of' }),
  ];
  const expected = [
    '\n=== plan: Add a cache (turn t1)\n',
    'thinks: hmm\nI read\n--> Read {"path":"a.rs"}\n',
    '<-- 3 lines\n=== done: planned\n',
  ];
  assert.equal(events.map((one) => script.of(one)).join(''), expected.join(''));
});

test('a text is asked for where the command has none', () => {
  assert.equal(wanted('finch.revise', [{ uri: 'u' }])?.key, 'direction');
  assert.equal(wanted('finch.revise', [{ uri: 'u', direction: 'smaller' }]), undefined);
  assert.equal(wanted('finch.edit', [{ uri: 'u' }])?.isNeeded, true);
  assert.equal(wanted('finch.ask', [])?.key, 'text');
  assert.equal(wanted('finch.approve', [{ uri: 'u', hash: 'h' }]), undefined);
});

test('the text joins the argument, and an empty one leaves it as it was', () => {
  const revise = wanted('finch.revise', [{ uri: 'u' }]);
  assert.ok(revise);
  assert.deepEqual(withText([{ uri: 'u' }], revise, 'smaller'), [{ uri: 'u', direction: 'smaller' }]);
  assert.deepEqual(withText([{ uri: 'u' }], revise, ''), [{ uri: 'u' }]);
  assert.deepEqual(withText([], revise, 'smaller'), [{ direction: 'smaller' }]);
});

test('tasks wait for a folder to be trusted, suggestions and stopping do not', () => {
  for (const command of ['finch.plan', 'finch.approve', 'finch.fix', 'finch.acceptHunk', 'finch.undoTurn']) {
    assert.equal(needsTrust(command), true, command);
  }
  for (const command of ['finch.accept', 'finch.feedback', 'finch.stop', 'finch.showLog']) {
    assert.equal(needsTrust(command), false, command);
  }
});

test('the client says all that it can do', () => {
  const can = ['approve', 'askUser', 'diagnostics', 'restart', 'save', 'turnEvents'];
  assert.deepEqual(Object.keys(CLIENT).toSorted(), can);
});

test('no command of the extension has the name of one of the server', () => {
  const servers = ['plan', 'approve', 'revise', 'stop', 'resume', 'undoTurn', 'ask', 'explain', 'fix', 'edit', 'test', 'document'];
  const staged = ['acceptHunk', 'rejectHunk', 'acceptFile', 'rejectFile', 'acceptAll', 'rejectAll', 'showLog', 'accept', 'feedback'];
  const source = readFileSync('src/extension.ts', 'utf8') + readFileSync('src/agent/questions.ts', 'utf8');
  for (const name of [...servers, ...staged]) {
    assert.ok(!source.includes(`'finch.${name}'`), `registering finch.${name} would end the language client`);
  }
});

test('commands for tasks are not offered in a folder that is not trusted', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  const tasks = ['planTask', 'askQuestion', 'explainCode', 'editByInstruction', 'undoLastTurn', 'resumeTurn'];
  for (const name of tasks) {
    const command = manifest.contributes.commands.find((one: { command: string }) => one.command === `finch.${name}`);
    assert.equal(command?.enablement, 'isWorkspaceTrusted', name);
  }
});

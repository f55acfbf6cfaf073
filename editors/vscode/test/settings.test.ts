import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { type Inspected, SERVER_KEYS, collect, forgets, safest } from '../src/settings.ts';

function collected(set: Record<string, Inspected>): unknown {
  return collect((key) => set[key]);
}

test('only what the user set is told, the nearest place first', () => {
  assert.deepEqual(collected({}), {});
  const set = {
    'completion.enabled': { globalValue: true, workspaceValue: false },
    'completion.tokens_max': { globalValue: 32 },
    'completion.deadline_ms': { workspaceFolderValue: 900 },
  };
  assert.deepEqual(collected(set), { completion: { enabled: false, tokens_max: 32, deadline_ms: 900 } });
});

test('settings lie as deep in the section as their names say', () => {
  const set = {
    'completion.context.path': { globalValue: false },
    'completion.context.edits': { globalValue: true },
    'completion.ahead': { globalValue: false },
  };
  assert.deepEqual(collected(set), { completion: { ahead: false, context: { path: false, edits: true } } });
});

test('values of another type are left out', () => {
  assert.deepEqual(collected({ 'completion.tokens_max': { globalValue: '32' } }), {});
});

test('a key that went away is noticed at any depth', () => {
  const before = { completion: { tokens_max: 3, context: { path: true } } };
  assert.equal(forgets(before, { completion: { tokens_max: 4, context: { path: false }, enabled: true } }), false);
  assert.equal(forgets(before, { completion: { context: { path: true } } }), true);
  assert.equal(forgets(before, { completion: { tokens_max: 3, context: {} } }), true);
  assert.equal(forgets(before, {}), true);
});

interface Schema {
  $ref?: string;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  type?: string | string[];
  minimum?: number;
  maximum?: number;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const properties: Record<string, Schema> = manifest.contributes.configuration.properties;
const schema: Schema & { $defs: Record<string, Schema> } = JSON.parse(
  readFileSync('../../schemas/lsp/finch.settings.json', 'utf8'),
);

/** Every setting that the server's schema has, by its dotted name. */
function* leaves(at: Schema, name: string): Generator<[string, Schema]> {
  const reference = at.$ref ?? at.anyOf?.find((one) => one.$ref)?.$ref;
  const target = reference ? schema.$defs[reference.split('/').pop() ?? ''] : at;
  if (target?.properties) {
    for (const [key, below] of Object.entries(target.properties)) {
      yield* leaves(below, name ? `${name}.${key}` : key);
    }
  } else {
    yield [name, at];
  }
}

test('every setting of the server can be set in the editor, with the same type and bounds', () => {
  const keys = [...leaves(schema, '')];
  assert.deepEqual(keys.map(([name]) => name).toSorted(), SERVER_KEYS.toSorted());
  for (const [name, { type, minimum, maximum }] of keys) {
    const here = properties[`finch.${name}`];
    // The server takes null for what is not set; the editor leaves it out.
    const told = [type].flat().filter((one) => one !== 'null');
    assert.deepEqual([[here?.type], here?.minimum, here?.maximum], [told, minimum, maximum], name);
  }
});

test('settings that name a program are restricted in untrusted workspaces', () => {
  const restricted: string[] = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
  const ours = Object.keys(properties).filter((name) => name.startsWith('finch.server.'));
  assert.deepEqual(restricted.toSorted(), ours.toSorted());
  for (const name of ours) {
    assert.equal(manifest.contributes.configuration.properties[name].scope, 'machine-overridable', name);
  }
});

test('a folder that is not trusted names no program, even if the editor hands its settings on', () => {
  const set = { globalValue: '/mine/finch', workspaceValue: '/theirs/finch', workspaceFolderValue: '/hidden/finch' };
  assert.equal(safest(set, true), '/hidden/finch');
  assert.equal(safest(set, false), '/mine/finch');
  assert.equal(safest({ workspaceValue: '/theirs/finch' }, false), undefined);
  assert.equal(safest(undefined, false), undefined);
});

test('every command of the manifest is registered', () => {
  const source = readFileSync('src/extension.ts', 'utf8');
  for (const { command } of manifest.contributes.commands) {
    assert.ok(source.includes(`'${command}'`), command);
  }
});

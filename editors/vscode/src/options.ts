/** Reads the user's settings and the surroundings from the editor, and writes the one that the toggle flips. */

import os from 'node:os';

import * as vscode from 'vscode';

import type { Places } from './binary.ts';
import { type Section, collect } from './settings.ts';

function finch(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('finch');
}

export function isEnabled(): boolean {
  return finch().get('completion.enabled', true);
}

/** The section for the server. */
export function section(): Section {
  return collect((key) => finch().inspect(key));
}

/** More environment for the server. */
export function environment(): Record<string, string> {
  return { ...finch().get<Record<string, string>>('server.env', {}) };
}

export function places(extension: string): Places {
  return {
    setting: finch().get('server.path', ''),
    extension,
    path: process.env['PATH'] ?? '',
    home: os.homedir(),
    platform: process.platform,
  };
}

/** Writes `completion.enabled` where it has an effect: in the workspace if that sets it already. */
export async function switchCompletion(on: boolean): Promise<void> {
  const set = finch().inspect('completion.enabled');
  const inWorkspace = set?.workspaceValue !== undefined;
  const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await finch().update('completion.enabled', on, target);
}

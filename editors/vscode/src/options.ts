/** Reads the user's settings and the surroundings from the editor, and writes the one that the toggle flips. */

import os from 'node:os';

import * as vscode from 'vscode';

import type { Places } from './binary.ts';
import { type Section, collect, safest } from './settings.ts';

function finch(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('finch');
}

export function isEnabled(): boolean {
  return finch().get('completion.enabled', true);
}

/** Whether the server may be told what the editor knows of this kind; a folder that is not trusted tells nothing. */
export function tells(kind: 'definitions' | 'diagnostics'): boolean {
  return vscode.workspace.isTrusted && isEnabled() && finch().get(`completion.context.${kind}`, true);
}

/** The section for the server. */
export function section(): Section {
  return collect((key) => finch().inspect(key));
}

/** More environment for the server. */
export function environment(): Record<string, string> {
  const set = ofServer('env');
  const texts = Object.entries(set && typeof set === 'object' ? set : {}).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(texts);
}

export function places(extension: string): Places {
  const setting = ofServer('path');
  return {
    setting: typeof setting === 'string' ? setting : '',
    extension,
    path: process.env['PATH'] ?? '',
    home: os.homedir(),
    platform: process.platform,
  };
}

function ofServer(key: 'path' | 'env'): unknown {
  return safest(finch().inspect(`server.${key}`), vscode.workspace.isTrusted);
}

/** Writes `completion.enabled` where it has an effect: in the workspace if that sets it already. */
export async function switchCompletion(on: boolean): Promise<void> {
  const set = finch().inspect('completion.enabled');
  const inWorkspace = set?.workspaceValue !== undefined;
  const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await finch().update('completion.enabled', on, target);
}

/**
 * What the server is told of the user's settings: what the user set, and nothing of what is a default here, so that
 * finch's own configuration file counts where the editor says nothing.
 */

export type Value = boolean | number;
export type Section = { [key: string]: Value | Section };

/** The settings that are the server's, below `finch.`. */
export const SERVER_KEYS = [
  'completion.enabled',
  'completion.prompt_tokens_max',
  'completion.suffix_tokens_max',
  'completion.tokens_max',
  'completion.deadline_ms',
  'completion.ahead',
  'completion.context.path',
  'completion.context.definitions',
  'completion.context.recent',
  'completion.context.edits',
  'completion.context.diagnostics',
] as const;

/** What `WorkspaceConfiguration.inspect` says of a key, as far as it matters. */
export interface Inspected {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}

/** The section `finch` for the server. */
export function collect(inspect: (key: string) => Inspected | undefined): Section {
  const section: Section = {};
  for (const key of SERVER_KEYS) {
    const value = chosen(inspect(key));
    if (typeof value === 'boolean' || typeof value === 'number') {
      put(section, key.split('.'), value);
    }
  }
  return section;
}

function chosen(inspected: Inspected | undefined): unknown {
  return inspected?.workspaceFolderValue ?? inspected?.workspaceValue ?? inspected?.globalValue;
}

/** What names a program or what it runs in: a folder that is not trusted has no say, whatever the editor lets through. */
export function safest(inspected: Inspected | undefined, isTrusted: boolean): unknown {
  return isTrusted ? chosen(inspected) : inspected?.globalValue;
}

function put(section: Section, [first, ...rest]: string[], value: Value): void {
  if (first === undefined) {
    return;
  }
  if (rest.length === 0) {
    section[first] = value;
    return;
  }
  const inner = section[first];
  const below = typeof inner === 'object' ? inner : {};
  section[first] = below;
  put(below, rest, value);
}

/** Whether a key of `before` is missing in `after`. The server cannot be told that; it has to start anew. */
export function forgets(before: Section, after: Section): boolean {
  return Object.entries(before).some(([key, value]) => {
    const now = after[key];
    return now === undefined || (typeof value === 'object' && typeof now === 'object' && forgets(value, now));
  });
}

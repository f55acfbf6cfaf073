/**
 * What of the editor's knowledge is worth telling the server: which names to look up, how much of a definition, which
 * diagnostics. Pure.
 */

/** Names that are looked up at one place. */
const NAMES_MAX = 12;
/** A name of fewer characters seldom needs a definition. */
const NAME_LENGTH_MIN = 3;
/** Lines above the cursor's that names are taken from. */
export const LINES_ABOVE = 20;
/** A longer line was written by a machine. */
const LINE_LENGTH_MAX = 1000;
/** Lines from the cursor within which a definition stands in the prompt anyway. */
const NEAR_LINES = 40;
const DEFINITION_LINES_MAX = 12;
const DEFINITION_LENGTH_MAX = 2000;
/** As many as the server takes. */
const DIAGNOSTICS_MAX = 256;
const MESSAGE_LENGTH_MAX = 300;

const NAME = /(?<![\p{L}\p{N}_$])[\p{L}_$][\p{L}\p{N}_$]*/gu;

/** A name, and where it stands. */
export interface Name {
  text: string;
  line: number;
  character: number;
}

/** Where a name is defined, and the head of the definition. */
export interface Place {
  uri: string;
  line: number;
  text: string;
}

/** A definition as `finch/context` tells it. */
export interface Definition {
  name: string;
  uri: string;
  text: string;
}

/** A diagnostic as `finch/context` tells it. */
export interface Told {
  line: number;
  message: string;
}

/** A diagnostic of the editor, as far as it matters. */
export interface Diagnostic {
  /** 0 is an error, 1 a warning. */
  severity: number;
  source?: string | undefined;
  line: number;
  message: string;
}

/** The names to look up, the nearest first; the last of `lines` is the cursor's, and `first` the number of the first. */
export function namesNear(lines: string[], first: number, character: number): Name[] {
  const found = new Map<string, Name>();
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const names = namesOf(lines[at] ?? '', first + at);
    const centre = at === lines.length - 1 ? character : Infinity;
    for (const name of names.sort((a, b) => distance(a, centre) - distance(b, centre))) {
      if (found.size < NAMES_MAX && !found.has(name.text)) {
        found.set(name.text, name);
      }
    }
  }
  return [...found.values()];
}

function namesOf(line: string, number: number): Name[] {
  if (line.length > LINE_LENGTH_MAX) {
    return [];
  }
  return [...line.matchAll(NAME)]
    .map((match) => ({ text: match[0], line: number, character: match.index }))
    .filter((name) => name.text.length >= NAME_LENGTH_MIN);
}

/** From the nearer end of a name to a column; names of a line above count from its end. */
function distance({ text, character }: Name, centre: number): number {
  if (centre === Infinity) {
    return -character;
  }
  return Math.max(0, character - centre, centre - character - text.length);
}

/** The head of a definition that begins with the first of `lines`. */
export function headOf(lines: string[]): string {
  const indent = indentation(lines[0] ?? '');
  let end = Math.min(lines.length, DEFINITION_LINES_MAX);
  for (let at = 1; at < end; at += 1) {
    const [line = '', above = ''] = [lines[at], lines[at - 1]];
    // What stands behind a blank line and no deeper is the next thing.
    if (!above.trim() && line.trim() && indentation(line) <= indent) {
      end = at;
    }
  }
  return cut(lines.slice(0, end).join('\n').trimEnd(), DEFINITION_LENGTH_MAX);
}

function indentation(line: string): number {
  return line.length - line.trimStart().length;
}

/** The first `length` UTF-16 units, without half a character at the end. */
export function cut(text: string, length: number): string {
  return text.length > length ? text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '') : text;
}

/** The definitions to tell: of what is far from the cursor, each text once. */
export function definitionsOf(found: [name: string, place: Place][], uri: string, line: number): Definition[] {
  const texts = new Set<string>();
  const told: Definition[] = [];
  for (const [name, place] of found) {
    const near = place.uri === uri && Math.abs(place.line - line) <= NEAR_LINES;
    if (!near && place.text && !texts.has(place.text)) {
      texts.add(place.text);
      told.push({ name, uri: place.uri, text: place.text });
    }
  }
  return told;
}

/** The diagnostics to tell: errors and warnings of others, errors first. */
export function diagnosticsOf(all: readonly Diagnostic[]): Told[] {
  return all
    .filter(({ severity, source }) => severity <= 1 && source !== 'finch')
    .sort((a, b) => a.severity - b.severity || a.line - b.line)
    .slice(0, DIAGNOSTICS_MAX)
    .map(({ line, message }) => ({ line, message: cut(message.split(/\r?\n/, 1)[0] ?? '', MESSAGE_LENGTH_MAX) }));
}

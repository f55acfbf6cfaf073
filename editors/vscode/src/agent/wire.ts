/** The agent's messages as `docs/protocol.md` has them, and what this client can do beyond the standard. */

/** `initializationOptions.finch.client`. */
export const CLIENT = {
  approve: true,
  turnEvents: true,
  save: true,
  restart: true,
  diagnostics: true,
  askUser: true,
} as const;

/** A position of LSP, from 0, in UTF-16 units. */
export interface Place {
  line: number;
  character: number;
}

export interface Range {
  start: Place;
  end: Place;
}

/** The parameters of `finch/approve`; the first choice is the refusal. */
export interface Question {
  turn: string;
  id: string | number;
  title: string;
  /** The whole effect, plain text. */
  effect: string;
  why: string;
  choices: Choice[];
}

export interface Choice {
  id: string;
  label: string;
}

/** The result of `finch/approve`; null counts as no. */
export interface Answer {
  id: string | number;
  choice: string;
  reason?: string;
}

/** The parameters of `finch/askUser`. */
export interface Asked {
  turn: string;
  questions: { text: string; options?: string[] | null; several?: boolean | null }[];
}

/** One diagnostic in the result of `finch/diagnostics`. */
export interface Found {
  uri: string;
  range: Range;
  severity: number;
  message: string;
  source?: string;
}

export type Outcome = 'done' | 'stopped' | 'failed';

/** The parameters of `finch/turnEvent`. */
export type TurnEvent = { turn: string } & (
  | { kind: 'began'; title: string; task: 'plan' | 'work' | 'ask' | 'change' | 'undo' }
  | { kind: 'text' | 'reasoning'; text: string }
  // `arguments` is JSON, and may be cut.
  | { kind: 'call'; id: string; name: string; arguments: string }
  | { kind: 'output'; id: string; text: string }
  | { kind: 'called'; id: string; text: string; failed: boolean }
  | { kind: 'plan'; uri: string; hash: string; round: number; state: string; open: number }
  | { kind: 'step'; number: number; title: string; state: 'working' | 'checking' | 'done' | 'failed' }
  | { kind: 'applied'; uris: string[] }
  | { kind: 'review'; uri: string; revision: number }
  | { kind: 'answer'; uri: string }
  | { kind: 'ended'; outcome: Outcome; message: string; uri?: string | null }
);

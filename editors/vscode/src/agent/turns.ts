/** What the agent is doing, told by its events: the turns of this window, and the words for the status bar. Pure. */

import { plain, short } from './plain.ts';
import type { Outcome, TurnEvent } from './wire.ts';

/** Turns that are remembered after they ended. */
const ENDED_MAX = 20;
/** The status bar has little room. */
const DOING_LENGTH_MAX = 44;
const TITLE_LENGTH_MAX = 20;

export interface Turn {
  id: string;
  title: string;
  task: string;
  /** What it does now, in words. */
  doing: string;
  /** The plan, the review or the answer that belongs to it. */
  uri?: string;
  ended?: Outcome;
  /** Whether it ended because the server did. */
  interrupted?: true;
}

/** States of a plan; there may be others. */
const PLAN: Record<string, string> = {
  drafting: 'writes the plan',
  attacking: 'attacks the plan',
  settled: 'has settled the plan',
  'rounds-over': 'has a plan with open findings',
  stopped: 'has stopped planning',
};

const TASKS: Record<string, string> = {
  plan: 'reads',
  work: 'works',
  ask: 'answers',
  change: 'edits',
  undo: 'takes back',
};

export class Turns {
  // The oldest first.
  readonly #turns = new Map<string, Turn>();

  /** Takes turns that an earlier window has seen the end of. */
  constructor(remembered: readonly Turn[] = []) {
    for (const turn of remembered.filter(isTurn).slice(-ENDED_MAX)) {
      this.#turns.set(turn.id, turn);
    }
  }

  take(event: TurnEvent): void {
    const known = this.#turns.get(event.turn) ?? { id: event.turn, title: '', task: '', doing: 'works' };
    const { ended: _ended, interrupted: _interrupted, ...going } = known;
    // One that was interrupted goes on in the next server, and one that ended when it begins again.
    const turn = known.interrupted || event.kind === 'began' ? going : known;
    this.#turns.set(event.turn, { ...turn, ...news(event) });
    const [oldest] = this.ended();
    if (oldest && this.ended().length > ENDED_MAX) {
      this.#turns.delete(oldest.id);
    }
  }

  /** The server is gone: what ran was interrupted. */
  interrupt(): void {
    for (const turn of this.running()) {
      this.#turns.set(turn.id, { ...turn, doing: 'was interrupted', ended: 'stopped', interrupted: true });
    }
  }

  running(): Turn[] {
    return [...this.#turns.values()].filter(({ ended }) => !ended);
  }

  ended(): Turn[] {
    return [...this.#turns.values()].filter(({ ended }) => ended);
  }

  get(id: string): Turn | undefined {
    return this.#turns.get(id);
  }

  /** Turns that can go on, the newest first. */
  resumable(): Turn[] {
    return this.ended()
      .filter(({ ended }) => ended !== 'done')
      .toReversed();
  }
}

/** The text of the status bar item; none while nothing runs and nothing is asked. */
export function label(running: readonly Turn[], questions: number): string | undefined {
  if (questions > 0) {
    return '$(bell-dot) finch asks';
  }
  const [turn, ...others] = running;
  if (!turn) {
    return undefined;
  }
  const more = others.length > 0 ? ` (+${others.length})` : '';
  return `$(loading~spin) finch ${words(turn)}${more}`;
}

/** What a turn does, and for what. */
export function words({ title, doing }: Turn): string {
  return plain(title ? `${short(doing, DOING_LENGTH_MAX)}: ${short(title, TITLE_LENGTH_MAX)}` : doing);
}

function news(event: TurnEvent): Partial<Turn> {
  switch (event.kind) {
    case 'began':
      return { title: event.title, task: event.task, doing: TASKS[event.task] ?? 'works' };
    case 'call':
      return { doing: `calls ${event.name}` };
    case 'plan': {
      const doing = PLAN[event.state];
      const open = event.open > 0 ? `, ${event.open} open` : '';
      const round = event.round > 0 ? ` (round ${event.round}${open})` : '';
      // While a plan is carried out its steps say more.
      return { uri: event.uri, ...(doing && { doing: doing + round }) };
    }
    case 'step':
      return { doing: `step ${event.number}: ${event.title}, ${event.state}` };
    case 'review':
    case 'answer':
      return { uri: event.uri };
    case 'ended':
      return { doing: event.message, ended: event.outcome, ...(event.uri && { uri: event.uri }) };
    default:
      return {};
  }
}

// What was stored may be of another version.
function isTurn(turn: unknown): turn is Turn {
  const { id, title, ended } = (turn ?? {}) as Partial<Turn>;
  return typeof id === 'string' && typeof title === 'string' && typeof ended === 'string';
}

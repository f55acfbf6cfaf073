/** The turns written down as they go: the text that each event adds to the agent's log. Pure. */

import { short } from './plain.ts';
import type { TurnEvent } from './wire.ts';

/** Arguments of a call are shown up to here; what is asked about is shown whole in the question. */
const ARGUMENTS_LENGTH_MAX = 400;

export class Script {
  // What is being streamed, so that its next piece goes on in the same line.
  #stream = '';

  /** What to append. */
  of(event: TurnEvent): string {
    const piece = streamed(event);
    if (piece) {
      const goesOn = piece.stream === this.#stream;
      const head = goesOn ? '' : `${this.#close()}${piece.head}`;
      this.#stream = piece.stream;
      return head + piece.text;
    }
    const line = lineOf(event);
    return line === undefined ? '' : `${this.#close()}${line}\n`;
  }

  #close(): string {
    const open = this.#stream !== '';
    this.#stream = '';
    return open ? '\n' : '';
  }
}

function streamed(event: TurnEvent): { stream: string; head: string; text: string } | undefined {
  switch (event.kind) {
    case 'text':
      return { stream: `text ${event.turn}`, head: '', text: event.text };
    case 'reasoning':
      return { stream: `reasoning ${event.turn}`, head: 'thinks: ', text: event.text };
    case 'output':
      return { stream: `output ${event.turn} ${event.id}`, head: '', text: event.text };
    default:
      return undefined;
  }
}

function lineOf(event: TurnEvent): string | undefined {
  switch (event.kind) {
    case 'began':
      return `\n=== ${event.task}: ${event.title} (turn ${event.turn})`;
    case 'call':
      return `--> ${event.name} ${short(event.arguments, ARGUMENTS_LENGTH_MAX)}`;
    case 'called':
      return `<-- ${event.failed ? 'failed: ' : ''}${event.text}`;
    case 'plan':
      return `--- plan, round ${event.round}: ${event.state}, ${event.open} open: ${event.uri}`;
    case 'step':
      return `--- step ${event.number}: ${event.title}: ${event.state}`;
    case 'applied':
      return `--- changed: ${event.uris.join(', ')}`;
    case 'review':
      return `--- to review: ${event.uri}`;
    case 'answer':
      return `--- answer: ${event.uri}`;
    case 'ended':
      return `=== ${event.outcome}: ${event.message}`;
    default:
      return undefined;
  }
}

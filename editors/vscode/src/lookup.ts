/**
 * Looks up names one after another within a deadline, and remembers the answers until a document changes that they are
 * about. At most one question is ever open: of one that takes too long, the answer is remembered when it comes.
 */

import { Recent } from './recent.ts';
import type { Name, Place } from './surroundings.ts';
import { within } from './within.ts';

/** Answers that are remembered. */
const ANSWERS_MAX = 200;
/** How long looking up the names of one place may take. */
const LOOKUP_MS_MAX = 500;
/** After this a question counts as never answered, and the next may be put. */
const ANSWER_MS_MAX = 10_000;

export type Ask = (document: string, name: Name) => Promise<Place | undefined>;

/** An answer; without a place the document itself defines nothing of that name, as far as is known. */
interface Answer {
  place: Place | undefined;
  /** The document whose change makes the answer doubtful. */
  about: string;
}

export class Lookup {
  readonly #ask: Ask;
  readonly #failed: (error: unknown) => void;
  readonly #answers = new Recent<Answer>(ANSWERS_MAX);
  #open: Promise<void> | undefined;
  // Documents that changed since the open question was put.
  readonly #changed = new Set<string>();

  constructor(ask: Ask, failed: (error: unknown) => void) {
    this.#ask = ask;
    this.#failed = failed;
  }

  /** What is known of the names when all are looked up or time is up; nothing when `signal` says so first. */
  async find(document: string, names: Name[], signal: AbortSignal): Promise<[string, Place][] | undefined> {
    const late = AbortSignal.timeout(LOOKUP_MS_MAX);
    const over = ended(AbortSignal.any([signal, late]));
    for (const name of names) {
      while (!signal.aborted && !late.aborted && !this.#answers.get(key(document, name))) {
        const mine = this.#open === undefined;
        this.#open ??= this.#question(document, name);
        await Promise.race([this.#open, over]);
        if (mine) {
          // Answered, failed or late: not asked twice here.
          break;
        }
      }
    }
    return signal.aborted ? undefined : names.flatMap((name) => this.#known(document, name));
  }

  /** A document has changed or gone: what it said is doubtful. */
  forget(uri: string): void {
    if (this.#open) {
      this.#changed.add(uri);
    }
    this.#answers.forget((_, { about }) => about === uri);
  }

  /** Anything may have changed. */
  forgetAll(): void {
    this.#answers.forget(() => true);
  }

  #known(document: string, name: Name): [string, Place][] {
    const place = this.#answers.get(key(document, name))?.place;
    return place ? [[name.text, place]] : [];
  }

  async #question(document: string, name: Name): Promise<void> {
    this.#changed.clear();
    try {
      const place = await within(ANSWER_MS_MAX, this.#ask(document, name));
      const about = place?.uri ?? document;
      if (!this.#changed.has(about)) {
        this.#answers.set(key(document, name), { place, about });
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#open = undefined;
    }
  }
}

function key(document: string, { text }: Name): string {
  return `${document} ${text}`;
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

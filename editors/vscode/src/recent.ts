/** A map that keeps what was used last, and forgets the rest. */

export class Recent<V> {
  readonly #sizeMax: number;
  // In the order of use, the longest unused first.
  readonly #entries = new Map<string, V>();

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** What is kept, if anything; it counts as used. */
  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#sizeMax) {
        break;
      }
      this.#entries.delete(oldest);
    }
  }

  /** Forgets the entries that `goes` says yes to. */
  forget(goes: (key: string, value: V) => boolean): void {
    for (const [key, value] of this.#entries) {
      if (goes(key, value)) {
        this.#entries.delete(key);
      }
    }
  }
}

/** Waits until nothing has happened for a while, but not for ever. */

export interface Pause {
  quietMs: number;
  maxMs: number;
}

/** Ends when `listen` has told of nothing for `quietMs`, or after `maxMs`. `listen` returns what ends the listening. */
export async function quiet(listen: (heard: () => void) => () => void, { quietMs, maxMs }: Pause): Promise<void> {
  await new Promise<void>((resolve) => {
    const last = setTimeout(end, maxMs);
    let next = setTimeout(end, quietMs);
    const unlisten = listen(() => {
      clearTimeout(next);
      next = setTimeout(end, quietMs);
    });
    function end(): void {
      clearTimeout(last);
      clearTimeout(next);
      unlisten();
      resolve();
    }
  });
}

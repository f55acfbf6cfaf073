/** What `finch setup` says while it works, as the message of a progress notification. */

/** The message for a line; none for a line that says nothing new. */
export function message(line: string): string | undefined {
  const text = line.trim();
  const far = /^(.*): ([\d.]+) (\w+) of ([\d.]+) \3, .*$/.exec(text);
  if (!far) {
    return text === '' ? undefined : text;
  }
  const [, what, done, unit, total] = far;
  const percent = Math.floor((100 * Number(done)) / Number(total));
  return `${what}: ${done} of ${total} ${unit}, ${percent}%`;
}

/** Cuts a stream of text into lines. */
export function lineReader(onLine: (line: string) => void): (chunk: string) => void {
  let begun = '';
  return (chunk) => {
    const lines = (begun + chunk).split(/\r?\n/);
    begun = lines.pop() ?? '';
    lines.forEach(onLine);
  };
}

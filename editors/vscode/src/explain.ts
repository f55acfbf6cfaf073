/** "Why was there no suggestion?": the server's answer in lines for people. */

/** The result of `finch/explainLast`, as far as it is used by name. */
export interface Explanation {
  message: string;
  id?: number | null;
  reason?: string | null;
  [name: string]: unknown;
}

/** The sentence first, the facts below it. */
export function lines(explanation: Explanation): string {
  const facts = Object.entries(explanation)
    .filter(([name, value]) => name !== 'message' && value !== null && value !== '' && value !== 0)
    .map(([name, value]) => `  ${name}: ${short(value)}`);
  return [explanation.message, ...facts].join('\n');
}

function short(value: unknown): string {
  if (typeof value === 'number') {
    return String(Math.round(value * 10) / 10);
  }
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  return Object.entries(value)
    .map(([name, part]) => `${name} ${short(part)}`)
    .join(', ');
}

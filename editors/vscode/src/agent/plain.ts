/**
 * Text of a model or of the user as plain text. The editor makes links of `[…](…)` in notifications, `command:` links
 * that run commands of the editor among them, and pictures of `$(…)` in labels. Pure.
 */

/** The same text, for a notification or a label: nothing in it is a link, a picture or a mnemonic. */
export function plain(text: string): string {
  return text
    .replaceAll('](', '] (')
    .replaceAll('$(', '$ (')
    .replaceAll(/&(?=&)/g, '& ');
}

/** One line of at most `length` UTF-16 units. */
export function short(text: string, length: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > length ? `${line.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '')}…` : line;
}

/** Notifications: the text as plain text, and what a press on each button does. */

import { plain } from './agent/plain.ts';

export type Actions = Record<string, () => unknown>;
export type Show = (text: string, ...names: string[]) => Thenable<string | undefined>;

/** Shows the text by `show` with a button for each action, and does what is pressed. */
export async function say(show: Show, text: string, actions: Actions = {}): Promise<void> {
  const name = await show(plain(text), ...Object.keys(actions));
  await (name === undefined ? undefined : actions[name]?.());
}

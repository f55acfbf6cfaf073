/** The commands of the server that want a text of the user first, and the text put into their argument. Pure. */

/** What to ask for. */
export interface Wanted {
  /** The field of the argument. */
  key: string;
  title: string;
  placeHolder: string;
  /** Whether the command makes no sense without. */
  isNeeded: boolean;
}

const WANTED: Record<string, Wanted> = {
  'finch.revise': {
    key: 'direction',
    title: 'finch: revise the plan',
    placeHolder: 'What should be different? Enter alone revises it as it stands',
    isNeeded: false,
  },
  'finch.edit': {
    key: 'instruction',
    title: 'finch: edit by instruction',
    placeHolder: 'What should be done with this code?',
    isNeeded: true,
  },
  'finch.ask': {
    key: 'text',
    title: 'finch: ask about this code',
    placeHolder: 'Your question',
    isNeeded: true,
  },
};

/** Commands of the server that have nothing to do with tasks; all others wait for a folder to be trusted. */
const HARMLESS = ['finch.accept', 'finch.feedback', 'finch.showLog', 'finch.stop'];

/** What must be asked for before the command can be sent. */
export function wanted(command: string, args: readonly unknown[]): Wanted | undefined {
  const want = WANTED[command];
  const [first] = args;
  const given = first && typeof first === 'object' ? (first as Record<string, unknown>)[want?.key ?? ''] : undefined;
  return typeof given === 'string' ? undefined : want;
}

/** The arguments with the text, if there is any. */
export function withText(args: readonly unknown[], { key }: Wanted, text: string): unknown[] {
  const [first, ...rest] = args;
  return [{ ...(first as object | undefined), ...(text && { [key]: text }) }, ...rest];
}

export function needsTrust(command: string): boolean {
  return command.startsWith('finch.') && !HARMLESS.includes(command);
}

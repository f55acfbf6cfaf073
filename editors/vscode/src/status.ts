/** What the status bar says: pure words about the server's state and its last answer. */

/** The parameters of `finch/status`. */
export interface Status {
  state: 'absent' | 'starting' | 'downloading' | 'importing' | 'loading' | 'ready' | 'failed';
  provider: string;
  model?: string | null;
  reason?: string | null;
  error?: string | null;
  next?: string | null;
  file?: string | null;
  done?: number | null;
  total?: number | null;
  answered?: { provider: string; model: string; instead_of?: string | null } | null;
  left?: { requests: number; bytes: number; cost?: number | null } | null;
}

/** What is known when the status bar is drawn. */
export interface View {
  /** How far the process is; `missing` when there is no program to start. */
  server: 'missing' | 'stopped' | 'starting' | 'running';
  enabled: boolean;
  status?: Status | undefined;
  /** Why the last request had no suggestion. */
  reason?: string | undefined;
}

/** The text of the status bar item, with its icon. */
export function label(view: View): string {
  const [icon, words] = parts(view);
  return `$(${icon}) finch ${words}`;
}

/** Whether the user has to do something before there can be suggestions. */
export function isStuck(view: View): boolean {
  const state = view.status?.state;
  const isWithout = (state === 'absent' || state === 'failed') && !answeredElsewhere(view.status);
  return view.server === 'missing' || view.server === 'stopped' || isWithout;
}

function parts(view: View): [icon: string, words: string] {
  if (view.server === 'missing') {
    return ['warning', 'is not installed'];
  }
  if (view.server === 'stopped') {
    return ['warning', 'stopped'];
  }
  if (!view.enabled) {
    return ['circle-slash', 'off'];
  }
  const status = view.status;
  if (view.server === 'starting' || !status) {
    return ['sync~spin', 'starting'];
  }
  const answered = answeredElsewhere(status);
  if (answered) {
    return ['cloud', `${answered.provider} ${answered.model}` + tail(view.reason)];
  }
  switch (status.state) {
    case 'absent':
      return ['warning', 'has no model'];
    case 'failed':
      return ['warning', 'failed'];
    case 'ready':
      return ['sparkle', (status.model ?? 'ready') + tail(view.reason)];
    default:
      return ['sync~spin', status.state + progress(status)];
  }
}

// Overtaken requests are the rule while typing, and nothing to tell.
function tail(reason: string | undefined): string {
  return reason && reason !== 'cancelled' ? ` (${reason})` : '';
}

function progress({ done, total }: Status): string {
  return done != null && total ? ` ${Math.floor((100 * done) / total)}%` : '';
}

/** What the server said of itself, one fact a line. */
export function facts(status: Status): string {
  const { state, model, provider, reason, file, error, next } = status;
  const answered = status.answered && `${status.answered.provider} ${status.answered.model}`;
  const instead = status.answered?.instead_of;
  const left = status.left && `${status.left.requests} requests, ${status.left.bytes} bytes today` + cost(status.left.cost);
  return Object.entries({ state, model, provider, reason, file, error, next, answered, instead, left })
    .filter(([, value]) => value != null)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}

/** Who answered last, if it was not who is asked first. */
function answeredElsewhere(status: Status | undefined): Status['answered'] {
  return status?.answered?.provider === status?.provider ? null : status?.answered;
}

function cost(cost: number | null | undefined): string {
  return cost == null ? '' : `, cost ${cost.toFixed(4)}`;
}

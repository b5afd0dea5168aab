// Follows a stream of server-sent events by fetch (an EventSource could not send the key in a header). A stream that breaks
// off is taken up again after its last event, with growing pauses. A page that is not seen holds no stream: browsers allow
// a handful of connections to one server, for all of its tabs together.
import { headers, send } from './client';
import { asProblem, type Problem } from './problem';
import { type SseEvent, SseParser } from './sse';

const LEAST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** The server says every 15 s that it lives; silence of three times that is a dead connection. */
const SILENCE_MS = 45_000;

export type Connection = 'connecting' | 'live' | 'waiting' | 'refused';

export interface Follower {
  onEvent(event: SseEvent): void;
  onConnection?(connection: Connection, problem?: Problem): void;
}

/** The pause before try `attempt` (from 0): doubled each time, and up to half of it by chance. */
export function pauseOf(attempt: number, chance: number): number {
  const whole = Math.min(LONGEST_PAUSE_MS, LEAST_PAUSE_MS * 2 ** Math.min(attempt, 10));
  return whole * (1 - chance / 2);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Waits until the page is seen. */
function seen(signal: AbortSignal): Promise<void> {
  if (document.visibilityState === 'visible') return Promise.resolve();
  return new Promise((resolve) => {
    const look = (): void => {
      if (document.visibilityState !== 'visible' && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look, { once: true });
  });
}

/** Follows `url` until `signal` ends it, or the API refuses for good. */
export async function follow(url: string, follower: Follower, signal: AbortSignal): Promise<void> {
  let lastId = '';
  let attempt = 0;
  while (!signal.aborted) {
    try {
      follower.onConnection?.('connecting');
      await once(url, lastId, signal, () => follower.onConnection?.('live'), (event) => {
        attempt = 0;
        lastId = event.id;
        follower.onEvent(event);
      });
    } catch (error) {
      if (signal.aborted) return;
      const problem = asProblem(error);
      if (!problem.isPassing && problem.status !== 0) {
        follower.onConnection?.('refused', problem);
        return;
      }
    }
    if (signal.aborted) return;
    follower.onConnection?.('waiting');
    if (document.visibilityState !== 'visible') {
      await seen(signal);
      attempt = 0;
      continue;
    }
    await sleep(pauseOf(attempt, Math.random()), signal);
    attempt += 1;
  }
}

/** One connection, until it ends. */
async function once(
  url: string,
  lastId: string,
  signal: AbortSignal,
  onOpen: () => void,
  onEvent: (event: SseEvent) => void,
): Promise<void> {
  const own = new AbortController();
  const end = (): void => own.abort();
  const hide = (): void => {
    if (document.visibilityState !== 'visible') end();
  };
  signal.addEventListener('abort', end, { once: true });
  document.addEventListener('visibilitychange', hide);
  window.addEventListener('pagehide', end);
  let silence = setTimeout(end, SILENCE_MS);
  try {
    const more: Record<string, string> = { Accept: 'text/event-stream' };
    if (lastId) more['Last-Event-ID'] = lastId;
    const response = await send(url, { headers: headers(more), cache: 'no-store', signal: own.signal });
    onOpen();
    await events(response, () => {
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MS);
    }, onEvent);
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', end);
    document.removeEventListener('visibilitychange', hide);
    window.removeEventListener('pagehide', end);
  }
}

/** Reads the events of an answer to its end. */
export async function events(
  response: Response,
  onPiece: () => void,
  onEvent: (event: SseEvent) => void,
): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new SseParser();
  for (;;) {
    const piece = await reader?.read();
    if (!piece || piece.done) return;
    onPiece();
    for (const event of parser.push(piece.value)) onEvent(event);
  }
}

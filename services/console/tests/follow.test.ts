// A stream that breaks off is taken up after its last event; a refusal ends it.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { follow, type Connection } from '../src/api/follow';

const seen = { visibilityState: 'visible', addEventListener: () => undefined, removeEventListener: () => undefined };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', seen);
  vi.stubGlobal('window', seen);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('a stream', () => {
  it('goes on after its last event, and ends when it is refused', async () => {
    const asked: (string | null)[] = [];
    const answers = [
      () => new Response('id: 4\ndata: a\n\nid: 5\ndata: b\n\n'),
      () => new Response('gone', { status: 503 }),
      () => new Response('id: 6\ndata: c\n\nid: 7\ndata: half'),
      () => new Response('{"title":"Not Found","detail":"there is no such task","errors":[]}', { status: 404 }),
    ];
    vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
      asked.push(new Headers(init.headers).get('Last-Event-ID'));
      return Promise.resolve((answers.shift() ?? (() => new Response('')))());
    });
    const told: string[] = [];
    const connections: Connection[] = [];
    let why = '';
    const done = follow('/events', {
      onEvent: (event) => told.push(event.data),
      onConnection: (connection, problem) => {
        connections.push(connection);
        why = problem?.detail ?? why;
      },
    }, new AbortController().signal);
    await vi.advanceTimersByTimeAsync(120_000);
    await done;
    expect(told).toEqual(['a', 'b', 'c']);
    expect(asked).toEqual([null, '5', '5', '6']);
    expect(connections[connections.length - 1]).toBe('refused');
    expect(why).toBe('there is no such task');
  });

  it('ends when it is no longer wanted, without another request', async () => {
    let requests = 0;
    vi.stubGlobal('fetch', () => {
      requests += 1;
      return Promise.reject(new TypeError('Failed to fetch'));
    });
    const end = new AbortController();
    const done = follow('/events', { onEvent: () => undefined }, end.signal);
    await vi.advanceTimersByTimeAsync(10);
    end.abort();
    await vi.advanceTimersByTimeAsync(120_000);
    await done;
    expect(requests).toBe(1);
  });
});

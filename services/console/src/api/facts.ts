// The workspace's events as they come: one stream for the whole page, heard by whoever shows what they change.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type Connection, follow } from './follow';
import type { Fact } from './types';

/** How the stream stands. */
export const connection = signal<Connection>('connecting');

interface Listener {
  concerns(fact: Fact): boolean;
  reload(): void;
}

const listeners = new Set<Listener>();

/** Follows the events until the returned function is called. */
export function followFacts(): () => void {
  const end = new AbortController();
  let wasLive = false;
  void follow('/api/v1/events', {
    onConnection: (now) => {
      connection.value = now;
      // Where no event had come before the stream broke off, what happened meanwhile is not told again.
      if (now === 'live' && wasLive) listeners.forEach((listener) => listener.reload());
      wasLive ||= now === 'live';
    },
    onEvent: (event) => {
      try {
        const fact = JSON.parse(event.data) as Fact;
        listeners.forEach((listener) => listener.concerns(fact) && listener.reload());
      } catch {
        // One that cannot be read changes nothing; the lists are read anew from time to time anyway.
      }
    },
  }, end.signal);
  return () => end.abort();
}

/** Calls `reload` for each fact that concerns the component, and whenever the stream is back after a break. */
export function useFacts(concerns: (fact: Fact) => boolean, reload: () => void): void {
  const newest = useRef<Listener>({ concerns, reload });
  newest.current = { concerns, reload };
  useEffect(() => {
    const own: Listener = { concerns: (fact) => newest.current.concerns(fact), reload: () => newest.current.reload() };
    listeners.add(own);
    return () => void listeners.delete(own);
  }, []);
}

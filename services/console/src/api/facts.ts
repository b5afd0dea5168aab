// The workspace's events as they come: one stream for the whole page, heard by whoever shows what they change.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type Connection, follow } from './follow';
import type { Fact } from './shapes';

/** How the stream stands. */
export const connection = signal<Connection>('connecting');

const listeners = new Set<(fact: Fact) => void>();

/** Follows the events until the returned function is called. */
export function followFacts(): () => void {
  const end = new AbortController();
  void follow('/api/v1/events', {
    onConnection: (now) => (connection.value = now),
    onEvent: (event) => {
      try {
        const fact = JSON.parse(event.data) as Fact;
        listeners.forEach((listen) => listen(fact));
      } catch {
        // One that cannot be read changes nothing; the lists are read anew from time to time anyway.
      }
    },
  }, end.signal);
  return () => end.abort();
}

/** Calls `listen` for each fact while the component is there. */
export function useFacts(listen: (fact: Fact) => void): void {
  const newest = useRef(listen);
  newest.current = listen;
  useEffect(() => {
    const own = (fact: Fact): void => newest.current(fact);
    listeners.add(own);
    return () => void listeners.delete(own);
  }, []);
}

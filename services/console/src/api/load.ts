// Reading for components: one answer, read again on demand or at an interval; or a list, page by page.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { asProblem, type Problem } from './problem';
import type { Page } from './types';

export interface Loaded<T> {
  data: T | undefined;
  problem: Problem | undefined;
  isLoading: boolean;
  reload(): void;
}

/** Reads when something in `on` changes. What was read stays until the next answer, except when `on` changed. */
export function useLoad<T>(read: () => Promise<T>, on: readonly unknown[]): Loaded<T> {
  const [state, set] = useState<{ data?: T; problem?: Problem; isLoading: boolean }>({ isLoading: true });
  const turn = useRef(0);
  const flight = useRef<{ isOn: boolean; again: boolean }>({ isOn: false, again: false });
  const newest = useRef(read);
  newest.current = read;
  const load = useCallback((fresh: boolean) => {
    const own = ++turn.current;
    flight.current = { isOn: true, again: false };
    set((old) => (fresh ? { isLoading: true } : { ...old, isLoading: true }));
    const landed = (change: (old: { data?: T }) => { data?: T; problem?: Problem; isLoading: boolean }): void => {
      if (own !== turn.current) return;
      set(change);
      const { again } = flight.current;
      flight.current = { isOn: false, again: false };
      if (again) load(false);
    };
    newest.current().then(
      (data) => landed(() => ({ data, isLoading: false })),
      (error: unknown) => landed((old) => ({ data: old.data, problem: asProblem(error), isLoading: false })),
    );
  }, []);
  useEffect(() => {
    load(true);
    return () => void turn.current++;
  }, on);
  // A slow answer is waited for: asking again and again would never show one.
  const reload = useCallback(() => {
    if (flight.current.isOn) flight.current.again = true;
    else load(false);
  }, [load]);
  return { data: state.data, problem: state.problem, isLoading: state.isLoading, reload };
}

/** Calls `again` every `ms` while the page is seen; never with `null`. */
export function useInterval(again: () => void, ms: number | null): void {
  const newest = useRef(again);
  newest.current = again;
  useEffect(() => {
    if (ms == null) return;
    const timer = setInterval(() => document.visibilityState === 'visible' && newest.current(), ms);
    return () => clearInterval(timer);
  }, [ms]);
}

export interface Pages<T> {
  items: T[];
  problem: Problem | undefined;
  isLoading: boolean;
  hasMore: boolean;
  more(): void;
  /** Reads what is shown again; further pages stay. */
  reload(): void;
}

const isSame = <T extends { id?: unknown }>(a: T, b: T): boolean => a.id !== undefined && a.id === b.id;

/** A list page by page. `reload` reads its first page again and puts the newer items in their places. */
export function usePages<T extends object>(
  read: (cursor: string | undefined) => Promise<Page<T>>,
  on: readonly unknown[],
): Pages<T> {
  const [pages, set] = useState<{ items: T[]; next?: string | null }>({ items: [] });
  const [status, setStatus] = useState<{ isLoading: boolean; problem?: Problem }>({ isLoading: true });
  const turn = useRef(0);
  const isReading = useRef(false);
  const newest = useRef(read);
  newest.current = read;
  const load = useCallback((cursor: string | undefined, join: (old: T[], page: Page<T>) => { items: T[]; next?: string | null }) => {
    const own = ++turn.current;
    isReading.current = true;
    setStatus({ isLoading: true });
    newest.current(cursor).then(
      (page) => {
        if (own !== turn.current) return;
        isReading.current = false;
        set((old) => join(old.items, page));
        setStatus({ isLoading: false });
      },
      (error: unknown) => {
        if (own !== turn.current) return;
        isReading.current = false;
        setStatus({ isLoading: false, problem: asProblem(error) });
      },
    );
  }, []);
  const cursorOf = (page: Page<T>): string | null => (page.has_more ? (page.next_cursor ?? null) : null);
  useEffect(() => {
    set({ items: [] });
    load(undefined, (_, page) => ({ items: page.data, next: cursorOf(page) }));
    return () => void turn.current++;
  }, on);
  return {
    items: pages.items,
    problem: status.problem,
    isLoading: status.isLoading,
    hasMore: pages.next != null,
    more: () => load(pages.next ?? undefined, (old, page) => ({ items: [...old, ...page.data], next: cursorOf(page) })),
    reload: () => {
      // What is being read is new enough; the next interval or event asks again.
      if (isReading.current) return;
      load(undefined, (old, page) => {
        const isOnePage = old.length <= page.data.length || !page.has_more;
        const rest = isOnePage ? [] : old.slice(page.data.length).filter((item) => !page.data.some((one) => isSame(one, item)));
        return { items: [...page.data, ...rest], next: rest.length > 0 ? pages.next : cursorOf(page) };
      });
    },
  };
}

/** All pages of a list that is short enough to choose from, at most `most` items. */
export async function whole<T>(read: (cursor: string | undefined) => Promise<Page<T>>, most = 500): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    items.push(...page.data);
    cursor = page.has_more ? (page.next_cursor ?? undefined) : undefined;
  } while (cursor && items.length < most);
  return items;
}

// The measured series of a task: read once, and while it runs read on from the last step that is known.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { useInterval } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import type { Metrics } from '../../api/shapes';
import { joined, type Points } from '../../tasks/curves';

const NEWS_MS = 2500;

export interface Series {
  series: Readonly<Record<string, Points>>;
  problem: Problem | undefined;
  isLoading: boolean;
}

export function useMetrics(id: string, isLive: boolean): Series {
  const [state, set] = useState<Series>({ series: {}, problem: undefined, isLoading: true });
  const last = useRef(-1);
  const isReading = useRef(false);
  const read = useCallback(async () => {
    if (isReading.current) return;
    isReading.current = true;
    try {
      // The last step again: what a validation says of it comes after its other values.
      let after_step = last.current < 1 ? undefined : last.current - 1;
      for (let more = true; more; ) {
        const told = (await ask('get', '/api/v1/tasks/{id}/metrics', { path: { id }, query: { after_step } })) as Metrics;
        const news = Object.entries(told.series);
        for (const [, points] of news) last.current = Math.max(last.current, points[points.length - 1]?.[0] ?? -1);
        set((old) => {
          const series = { ...old.series };
          for (const [name, points] of news) series[name] = joined(series[name] ?? [], points);
          return { series, problem: undefined, isLoading: false };
        });
        after_step = told.next_after_step ?? undefined;
        more = told.has_more && after_step !== undefined;
      }
    } catch (error) {
      set((old) => ({ ...old, problem: asProblem(error), isLoading: false }));
    } finally {
      isReading.current = false;
    }
  }, [id]);
  useEffect(() => {
    last.current = -1;
    set({ series: {}, problem: undefined, isLoading: true });
    void read();
  }, [id]);
  // Once more when it has ended: the last points come with the end.
  useEffect(() => void (isLive || read()), [isLive]);
  useInterval(() => void read(), isLive ? NEWS_MS : null);
  return state;
}

// The measured series of a task: read once, and while it runs read on from the last step that is known. What comes late, such
// as the score of a checkpoint, is read on demand.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { useInterval } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { joined, type Points } from '../../tasks/curves';

const NEWS_MS = 2500;

interface Known {
  series: Readonly<Record<string, Points>>;
  problem: Problem | undefined;
  isLoading: boolean;
}

export interface Series extends Known {
  /** Reads everything from this step on again. */
  readFrom(step: number): void;
}

export function useMetrics(id: string, isLive: boolean): Series {
  const [state, set] = useState<Known>({ series: {}, problem: undefined, isLoading: true });
  const last = useRef(-1);
  const late = useRef(Infinity);
  const flight = useRef({ isOn: false, again: false });
  const read = useCallback(async (): Promise<void> => {
    if (flight.current.isOn) {
      flight.current.again = true;
      return;
    }
    flight.current = { isOn: true, again: false };
    const from = Math.min(last.current, late.current);
    late.current = Infinity;
    try {
      // The last step again: what a validation says of it comes after its other values.
      let after_step = from < 1 ? undefined : from - 1;
      for (let more = true; more; ) {
        const told = await ask('get', '/api/v1/tasks/{id}/metrics', { path: { id }, query: { after_step } });
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
      late.current = Math.min(late.current, from);
      set((old) => ({ ...old, problem: asProblem(error), isLoading: false }));
    } finally {
      const { again } = flight.current;
      flight.current = { isOn: false, again: false };
      if (again) void read();
    }
  }, [id]);
  useEffect(() => {
    last.current = -1;
    set({ series: {}, problem: undefined, isLoading: true });
  }, [id]);
  // Once more when it has ended: the last points come with the end.
  useEffect(() => void read(), [id, isLive]);
  useInterval(() => void read(), isLive ? NEWS_MS : null);
  const readFrom = useCallback((step: number) => {
    late.current = Math.min(late.current, step);
    void read();
  }, [read]);
  return { ...state, readFrom };
}

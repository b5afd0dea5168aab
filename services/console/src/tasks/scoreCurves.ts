// Scores of a training's checkpoints among its measured series: which they are, which are drawn together, and which are not
// there yet. Pure.
import type { Points } from './curves';
import { isShare } from './scores';

/** A validation of preferences measures `eval/rewards/…` and `eval/logps/…`, which are no benchmarks. */
const SCORE = /^eval\/(?!rewards\/|logps\/)([^/]+)\/(.+)$/;

type Series = Readonly<Record<string, Points>>;

export const isScore = (series: string): boolean => SCORE.test(series);

export interface ScoreChart {
  benchmark: string;
  /** Each metric with the series it is told as. */
  metrics: { name: string; series: string }[];
}

/** The charts of the scores: the shares of a benchmark together, any other metric of it alone. */
export function scoreCharts(series: Series): ScoreChart[] {
  const found = new Map<string, ScoreChart>();
  for (const [name, points] of Object.entries(series)) {
    const [, benchmark, metric] = SCORE.exec(name) ?? [];
    if (!benchmark || !metric) continue;
    const areShares = points.every(([, value]) => value == null || isShare({ metric, value }));
    const key = `${benchmark} ${areShares ? '' : metric}`;
    const chart = found.get(key) ?? { benchmark, metrics: [] };
    chart.metrics.push({ name: metric, series: name });
    found.set(key, chart);
  }
  return [...found.entries()].sort(([a], [b]) => a.localeCompare(b)).map(([, chart]) => chart);
}

/** The steps of `scored` that no score of these series is of: a score comes when its evaluation ends, long after its step. */
export function awaited(scored: readonly number[], series: Series): number[] {
  const told = new Set(Object.entries(series).flatMap(([name, points]) => (isScore(name) ? points.map(([step]) => step) : [])));
  return scored.filter((step) => !told.has(step));
}

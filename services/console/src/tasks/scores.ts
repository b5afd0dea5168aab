// Scores out of an evaluator's results: the key `acc,none` is a metric and the filter that read the answers. Pure.
import type { Scores } from '../api/types';

export interface Score {
  metric: string;
  filter: string;
  value: number;
  standardError: number | null;
  higherIsBetter: boolean | null;
}

export interface Scored {
  name: string;
  samples: number | null;
  shots: number | null;
  scores: Score[];
  /** How deep it lies below the group that it belongs to. */
  depth: number;
}

/** The metrics of one entry of `results`. */
export function scoresOf(entry: Record<string, unknown>, better: Record<string, boolean> = {}): Score[] {
  return Object.entries(entry).flatMap(([key, value]) => {
    const comma = key.indexOf(',');
    const metric = comma < 0 ? '' : key.slice(0, comma);
    const filter = key.slice(comma + 1);
    if (!metric || metric.endsWith('_stderr') || typeof value !== 'number') return [];
    const error = entry[`${metric}_stderr,${filter}`];
    return [{ metric, filter, value, standardError: typeof error === 'number' ? error : null, higherIsBetter: better[metric] ?? null }];
  });
}

/** Every dataset and subject: groups first, their members below them. */
export function scoredOf(results: Scores): Scored[] {
  const members = results.group_subtasks ?? {};
  const all: Record<string, Record<string, unknown>> = { ...results.results, ...results.groups };
  const inGroup = new Set(Object.values(members).flat());
  const told = new Set<string>();
  const list: Scored[] = [];
  const tell = (name: string, depth: number): void => {
    const entry = all[name];
    if (told.has(name) || !entry) return;
    told.add(name);
    const samples = results['n-samples']?.[name]?.effective ?? entry.sample_len ?? null;
    list.push({
      name,
      depth,
      samples: typeof samples === 'number' ? samples : null,
      shots: results['n-shot']?.[name] ?? null,
      scores: scoresOf(entry, results.higher_is_better?.[name]),
    });
    for (const member of members[name] ?? []) tell(member, depth + 1);
  };
  Object.keys(all).filter((name) => !inGroup.has(name)).forEach((name) => tell(name, 0));
  Object.keys(all).forEach((name) => tell(name, 0));
  return list;
}

/** Whether a score is a share, to be shown as a bar up to one. */
export const isShare = (score: Pick<Score, 'metric' | 'value'>): boolean => score.value >= 0 && score.value <= 1 && !/perplexity|bits|loss|nll/.test(score.metric);

// Measured series as curves: joining what comes in, smoothing, and which of them are drawn together. Pure.

export type Points = [step: number, value: number | null][];

/** Puts newer points behind the ones that are there. A task that went on from a checkpoint tells some steps again: the newer stay. */
export function joined(old: Points, more: Points): Points {
  const first = more[0];
  if (!first) return old;
  const kept = old.filter(([step]) => step < first[0]);
  return [...kept, ...more];
}

/** Exponential moving average that is not drawn towards zero at its beginning (Kingma and Ba 2015, section 3). */
export function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  let mean = 0;
  let seen = 0;
  return values.map((value) => {
    if (value == null || !Number.isFinite(value)) return null;
    mean = weight * mean + (1 - weight) * value;
    seen += 1;
    return weight > 0 ? mean / (1 - weight ** seen) : value;
  });
}

/** Series that are drawn in one chart; every other one has its own. */
const TOGETHER: readonly (readonly string[])[] = [
  ['loss', 'eval/loss'],
  ['mean_token_accuracy', 'eval/mean_token_accuracy'],
  ['rewards/chosen', 'rewards/rejected'],
  ['logps/chosen', 'logps/rejected'],
];
const FIRST = ['loss', 'grad_norm', 'learning_rate', 'mean_token_accuracy', 'rewards/margins', 'rewards/chosen', 'rewards/accuracies', 'tokens_per_second'];

/** The charts of these series, the most telling first. */
export function charts(names: readonly string[]): string[][] {
  const groups: string[][] = [];
  const left = new Set(names);
  for (const group of TOGETHER) {
    const here = group.filter((name) => left.has(name));
    if (here.length > 0) groups.push(here);
    here.forEach((name) => left.delete(name));
  }
  groups.push(...[...left].map((name) => [name]));
  const place = (group: string[]): number => {
    const found = FIRST.indexOf(group[0] ?? '');
    return found < 0 ? FIRST.length : found;
  };
  return groups.sort((a, b) => place(a) - place(b) || (a[0] ?? '').localeCompare(b[0] ?? ''));
}

/** Several series over all of their steps, as the chart takes them: steps, then a row of values for each. */
export function aligned(series: readonly Points[]): [number[], ...(number | null)[][]] {
  const steps = [...new Set(series.flatMap((points) => points.map(([step]) => step)))].sort((a, b) => a - b);
  const rows = series.map((points) => {
    const values = new Map(points);
    return steps.map((step) => values.get(step) ?? null);
  });
  return [steps, ...rows];
}

// What may be asked of tasks, and what their figures become.
import { describe, expect, it } from 'vitest';
import type { Posting, Scores } from '../src/api/types';
import { aligned, charts, joined, type Points, smoothed } from '../src/tasks/curves';
import { change, pocket, runs } from '../src/tasks/ledger';
import { awaited, isScore, scoreCharts } from '../src/tasks/scoreCurves';
import { isShare, scoredOf, scoresOf } from '../src/tasks/scores';
import { isEnded, isMoving, STATES, verbsOf } from '../src/tasks/verbs';

describe('verbs', () => {
  it('delete what has ended and nothing else', () => {
    for (const state of STATES) expect(verbsOf(state).includes('delete')).toBe(isEnded(state));
  });

  it('resume what is paused only, and leave a task that is being cancelled alone', () => {
    expect(STATES.filter((state) => verbsOf(state).includes('resume'))).toEqual(['paused']);
    expect(verbsOf('cancelling')).toEqual([]);
    expect(STATES.filter((state) => verbsOf(state).includes('pause'))).toEqual(['queued', 'running']);
  });

  it('are watched while a state may change by itself', () => {
    expect(STATES.filter((state) => !isMoving(state))).toEqual(['paused', 'succeeded', 'failed', 'stopped', 'cancelled']);
  });
});

describe('curves', () => {
  it('go on where they were, and replace what a resumed task tells again', () => {
    expect(joined([[1, 1], [2, 2]], [[3, 3]])).toEqual([[1, 1], [2, 2], [3, 3]]);
    expect(joined([[1, 1], [2, 2], [3, 3]], [[2, 9]])).toEqual([[1, 1], [2, 9]]);
    expect(joined([[1, 1]], [])).toEqual([[1, 1]]);
  });

  it('are smoothed without a bias at their beginning, and never across a gap', () => {
    const flat = smoothed([5, 5, 5], 0.9);
    flat.forEach((value) => expect(value).toBeCloseTo(5));
    expect(smoothed([1, null, 3], 0)).toEqual([1, null, 3]);
    expect(smoothed([0, 10], 0.5)[1]).toBeCloseTo(20 / 3);
  });

  it('share a chart where they belong together, loss first', () => {
    expect(charts(['tokens', 'learning_rate', 'eval/loss', 'loss', 'grad_norm'])).toEqual([['loss', 'eval/loss'], ['grad_norm'], ['learning_rate'], ['tokens']]);
  });

  it('are laid over the steps of all', () => {
    expect(aligned([[[1, 1], [2, 2]], [[2, 5], [3, 6]]])).toEqual([[1, 2, 3], [1, 2, null], [null, 5, 6]]);
  });
});

describe('scores', () => {
  it('are a metric, a filter, a value and its error', () => {
    const entry = { name: 'arc_easy', alias: 'arc_easy', sample_len: 20, 'acc,none': 0.45, 'acc_stderr,none': 0.11, 'em,strict': 0.5 };
    expect(scoresOf(entry, { acc: true })).toEqual([
      { metric: 'acc', filter: 'none', value: 0.45, standardError: 0.11, higherIsBetter: true },
      { metric: 'em', filter: 'strict', value: 0.5, standardError: null, higherIsBetter: null },
    ]);
  });

  it('stand with their group, whose members follow it, and a circle ends', () => {
    const results: Scores = {
      results: { mmlu_law: { 'acc,none': 0.2 }, arc: { 'acc,none': 0.3 }, mmlu: { 'acc,none': 0.25 } },
      group_subtasks: { mmlu: ['mmlu_law'], loop: ['loop'] },
      'n-samples': { arc: { original: 570, effective: 20 } },
    };
    expect(scoredOf(results).map((one) => [one.name, one.depth, one.samples])).toEqual([['arc', 0, 20], ['mmlu', 0, null], ['mmlu_law', 1, null]]);
  });

  it('are drawn as bars where they are shares', () => {
    const score = (metric: string, value: number) => isShare({ metric, value });
    expect([score('acc', 0.5), score('word_perplexity', 0.9), score('f1', 40)]).toEqual([true, false, false]);
  });
});

describe('scores of checkpoints', () => {
  const series = {
    loss: [[1, 2]], 'eval/loss': [[100, 1]], 'eval/rewards/margins': [[100, 0.5]], 'eval/logps/chosen': [[100, -3]],
    'eval/lambada_openai/perplexity': [[0, 9], [100, 7]], 'eval/lambada_openai/acc': [[0, 0.25], [100, 0.5]],
    'eval/sums/exact_match,strict-match': [[0, 0], [100, 1]], 'eval/sums/exact_match,flexible-extract': [[0, null], [100, 1]],
  } as Record<string, Points>;

  it('are told from what a validation measures', () => {
    expect(Object.keys(series).filter((name) => !isScore(name))).toEqual(['loss', 'eval/loss', 'eval/rewards/margins', 'eval/logps/chosen']);
  });

  it('share a chart where they are shares of one benchmark', () => {
    expect(scoreCharts(series).map(({ benchmark, metrics }) => [benchmark, ...metrics.map((metric) => metric.name)])).toEqual([
      ['lambada_openai', 'acc'],
      ['lambada_openai', 'perplexity'],
      ['sums', 'exact_match,strict-match', 'exact_match,flexible-extract'],
    ]);
  });

  it('are read again where an evaluation ended after its step was read', () => {
    expect(awaited([0, 100], series)).toEqual([]);
    expect(awaited([0, 50, 100, 200], series)).toEqual([50, 200]);
    expect(awaited([100], { 'eval/loss': [[100, 1]] })).toEqual([100]);
  });
});

describe('postings', () => {
  const workspace = `ws-${'0'.repeat(31)}1`;
  const posting = (id: number, reason: string, debit: string, credit: string, amount: number): Posting =>
    ({ id, operation: '', reason, debit: `${workspace}/${debit}`, credit: `${workspace}/${credit}`, amount_microcredits: amount, task: 'task-1', at: '' });

  it('change what is available or do not', () => {
    expect(pocket(`${workspace}/held`)).toBe('held');
    expect(pocket('platform/grants')).toBe('platform/grants');
    expect(change(posting(1, 'hold', 'available', 'held', 5))).toBe(-5);
    expect(change(posting(2, 'release', 'held', 'available', 5))).toBe(5);
    expect(change(posting(3, 'capture', 'held', 'spent', 5))).toBe(0);
  });

  it('that say the same one after the other stand together, with their sum', () => {
    const rows = [posting(1, 'hold', 'available', 'held', 9), posting(2, 'capture', 'held', 'spent', 1), posting(3, 'capture', 'held', 'spent', 2), posting(4, 'release', 'held', 'available', 6)];
    expect(runs(rows).map((run) => [run.first.id, run.last.id, run.count, run.amount])).toEqual([[1, 1, 1, 9], [2, 3, 2, 3], [4, 4, 1, 6]]);
  });
});

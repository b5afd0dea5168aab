// What a form says about scoring: benchmarks with their rows, and how they are asked. An evaluation's form has it, and a
// training's for its checkpoints. Pure.
import type { CheckpointEvaluation, EvaluationDataset } from '../api/types';
import { defined, number, typed } from './number';

export interface EntryDraft {
  benchmark: string;
  dataset: string;
  num_fewshot: string;
  limit: string;
  alias: string;
  /** A benchmark of the user's own, which this form keeps as it is. */
  task?: EvaluationDataset['task'];
}

export interface ScoringDraft {
  datasets: EntryDraft[];
  apply_chat_template: boolean;
  max_length: string;
  seed: string;
}

/** Evaluations of up to so many datasets are free: the manual's rule, which the quote has the last word on. */
export const FREE_DATASETS = 2;

export const entry = (): EntryDraft => ({ benchmark: '', dataset: '', num_fewshot: '', limit: '', alias: '' });

export const unscored = (): ScoringDraft => ({ datasets: [], apply_chat_template: false, max_length: '', seed: '' });

/** The dataset that a benchmark most likely wants: the newest of its name, or of the family that it is a subject of. */
export function datasetFor(benchmark: string, datasets: readonly { id: string; name: string }[]): string {
  const named = datasets.find((dataset) => dataset.name === benchmark);
  const family = datasets.filter((dataset) => benchmark.startsWith(`${dataset.name}_`));
  return (named ?? family[0])?.id ?? '';
}

/** The kinds of dataset whose rows a benchmark can have. */
export function datasetKindsOf(entry: Pick<EntryDraft, 'benchmark' | 'task'>): readonly string[] {
  if (entry.task) return ['evaluation', 'pretrain', 'sft'];
  switch (entry.benchmark) {
    case 'heldout_loss':
      return ['sft'];
    case 'perplexity':
    case 'wikitext':
    case 'lambada':
    case 'lambada_openai':
      return ['evaluation', 'pretrain'];
    case 'custom_multiple_choice':
    case 'custom_question_answer':
      return ['evaluation', 'sft'];
    default:
      return ['evaluation'];
  }
}

export function toScoring(draft: ScoringDraft): CheckpointEvaluation {
  return defined({
    datasets: draft.datasets.map((one) =>
      defined({
        benchmark: one.benchmark || undefined,
        dataset: one.dataset || undefined,
        num_fewshot: number(one.num_fewshot),
        limit: number(one.limit),
        alias: one.alias.trim() || undefined,
        task: one.task ?? undefined,
      }),
    ) as EvaluationDataset[],
    apply_chat_template: draft.apply_chat_template,
    max_length: number(draft.max_length),
    seed: number(draft.seed),
  });
}

export function fromScoring(spec: CheckpointEvaluation): ScoringDraft {
  return {
    datasets: spec.datasets.map((one) => ({
      benchmark: one.benchmark,
      dataset: one.dataset,
      num_fewshot: typed(one.num_fewshot),
      limit: typed(one.limit),
      alias: one.alias ?? '',
      task: one.task,
    })),
    apply_chat_template: spec.apply_chat_template ?? false,
    max_length: typed(spec.max_length),
    seed: typed(spec.seed),
  };
}

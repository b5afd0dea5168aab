// The creation form of an evaluation: entries of benchmark and dataset, and the specification it stands for. Pure.
import type { EvaluationDataset, EvaluationSpec } from '../api/types';
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

export interface EvaluationDraft {
  model_source: 'builtin' | 'trained';
  model: string;
  /** The task whose model is taken; its source comes with it. */
  from_task: string;
  datasets: EntryDraft[];
  apply_chat_template: boolean;
  leak_check: boolean;
  max_length: string;
  seed: string;
  rescore: string;
}

/** Evaluations of up to so many datasets are free: the manual's rule, which the quote has the last word on. */
export const FREE_DATASETS = 2;

export const entry = (): EntryDraft => ({ benchmark: '', dataset: '', num_fewshot: '', limit: '', alias: '' });

export function blank(): EvaluationDraft {
  return {
    model_source: 'trained',
    model: '',
    from_task: '',
    datasets: [entry()],
    apply_chat_template: false,
    leak_check: false,
    max_length: '',
    seed: '',
    rescore: '',
  };
}

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

export function toSpec(draft: EvaluationDraft): EvaluationSpec {
  const model = draft.from_task ? { task: draft.from_task } : draft.model || undefined;
  return defined({
    kind: 'evaluation',
    model_source: draft.from_task ? undefined : draft.model_source,
    model: model as EvaluationSpec['model'],
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
    leak_check: draft.leak_check,
    max_length: number(draft.max_length),
    seed: number(draft.seed),
    rescore: draft.rescore || undefined,
  } satisfies Partial<EvaluationSpec>) as EvaluationSpec;
}

export function fromSpec(spec: EvaluationSpec): EvaluationDraft {
  return {
    model_source: spec.model_source ?? 'trained',
    model: typeof spec.model === 'string' ? spec.model : '',
    from_task: '',
    datasets: spec.datasets.map((one) => ({
      benchmark: one.benchmark,
      dataset: one.dataset,
      num_fewshot: typed(one.num_fewshot),
      limit: typed(one.limit),
      alias: one.alias ?? '',
      task: one.task,
    })),
    apply_chat_template: spec.apply_chat_template ?? false,
    leak_check: spec.leak_check ?? false,
    max_length: typed(spec.max_length),
    seed: typed(spec.seed),
    rescore: spec.rescore ?? '',
  };
}

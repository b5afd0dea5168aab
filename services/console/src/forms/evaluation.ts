// The creation form of an evaluation, and the specification it stands for. Pure.
import type { EvaluationSpec } from '../api/types';
import { defined } from './number';
import { entry, fromScoring, type ScoringDraft, toScoring, unscored } from './scoring';

export interface EvaluationDraft extends ScoringDraft {
  model_source: 'builtin' | 'trained';
  model: string;
  /** The task whose model is taken; its source comes with it. */
  from_task: string;
  /** A checkpoint of `from_task`, in the place of `model`, which its training began from. */
  checkpoint: string;
  leak_check: boolean;
  rescore: string;
}

export function blank(): EvaluationDraft {
  return {
    ...unscored(),
    datasets: [entry()],
    model_source: 'trained',
    model: '',
    from_task: '',
    checkpoint: '',
    leak_check: false,
    rescore: '',
  };
}

function modelOf({ model_source, model, from_task, checkpoint }: EvaluationDraft): Partial<EvaluationSpec> {
  if (!from_task) return { model_source, model: model || undefined };
  return checkpoint ? { model_source, model, from_task, checkpoint } : { model: { task: from_task } };
}

export function toSpec(draft: EvaluationDraft): EvaluationSpec {
  return defined({
    kind: 'evaluation',
    ...modelOf(draft),
    ...toScoring(draft),
    leak_check: draft.leak_check,
    rescore: draft.rescore || undefined,
  } satisfies Partial<EvaluationSpec>) as EvaluationSpec;
}

export function fromSpec(spec: EvaluationSpec): EvaluationDraft {
  return {
    ...fromScoring(spec),
    model_source: spec.model_source ?? 'trained',
    model: typeof spec.model === 'string' ? spec.model : '',
    from_task: spec.checkpoint ? (spec.from_task ?? '') : '',
    checkpoint: spec.checkpoint ?? '',
    leak_check: spec.leak_check ?? false,
    rescore: spec.rescore ?? '',
  };
}

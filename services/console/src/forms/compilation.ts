// The creation form of a compilation, and the specification it stands for. Pure.
import type { CompilationSpec } from '../api/types';
import { defined, number, typed } from './number';

export interface CompilationDraft {
  model_source: 'builtin' | 'trained';
  model: string;
  /** The task whose model is taken; its source comes with it. */
  from_task: string;
  quantization: 'int8' | 'fp16';
  target: string;
  /** `c4`, `ceval`, or `dataset`. */
  calibration: string;
  calibration_dataset: string;
  validation_dataset: string;
  max_perplexity_ratio: string;
}

export function blank(): CompilationDraft {
  return {
    model_source: 'trained',
    model: '',
    from_task: '',
    quantization: 'int8',
    target: 'onnxruntime-cpu',
    calibration: 'c4',
    calibration_dataset: '',
    validation_dataset: '',
    max_perplexity_ratio: '1.05',
  };
}

/** Calibration is `int8`'s alone. */
function calibration(draft: CompilationDraft): CompilationSpec['calibration'] {
  if (draft.quantization !== 'int8') return undefined;
  if (draft.calibration !== 'dataset') return draft.calibration as 'c4';
  return draft.calibration_dataset ? { dataset: draft.calibration_dataset } : undefined;
}

export function toSpec(draft: CompilationDraft): CompilationSpec {
  const model = draft.from_task ? { task: draft.from_task } : draft.model || undefined;
  return defined({
    kind: 'compilation',
    model_source: draft.from_task ? undefined : draft.model_source,
    model: model as CompilationSpec['model'],
    quantization: draft.quantization,
    target: draft.target as CompilationSpec['target'],
    calibration: calibration(draft),
    validation_dataset: draft.validation_dataset || undefined,
    max_perplexity_ratio: number(draft.max_perplexity_ratio),
  } satisfies Partial<CompilationSpec>) as CompilationSpec;
}

export function fromSpec(spec: CompilationSpec): CompilationDraft {
  const source = spec.calibration;
  const base = blank();
  return {
    ...base,
    model_source: spec.model_source ?? base.model_source,
    model: typeof spec.model === 'string' ? spec.model : '',
    quantization: spec.quantization,
    target: spec.target ?? base.target,
    calibration: source == null ? base.calibration : typeof source === 'string' ? source : 'dataset',
    calibration_dataset: source != null && typeof source === 'object' ? source.dataset : '',
    validation_dataset: spec.validation_dataset ?? '',
    max_perplexity_ratio: typed(spec.max_perplexity_ratio ?? 1.05),
  };
}

// The creation form of a training task: what is typed, which choices fit which, and the specification it stands for. Pure.
import type { Method, Pool, TrainingKind, TrainingSpec } from '../api/types';
import { defined, number, split, typed } from './number';
import { fromScoring, type ScoringDraft, toScoring, unscored } from './scoring';

export interface TrainingDraft {
  task_type: TrainingKind;
  method: Method;
  model: string;
  dataset: string;
  sequence_length: string;
  precision: string;
  split: string;
  pool: Pool;
  learning_rate: string;
  schedule: string;
  warmup_ratio: string;
  weight_decay: string;
  max_grad_norm: string;
  epochs: string;
  max_steps: string;
  micro_batch_size: string;
  gradient_accumulation_steps: string;
  global_batch_size: string;
  log_interval: string;
  save_interval: string;
  eval_interval: string;
  early_stopping_patience: string;
  keep_checkpoints: string;
  export: string;
  loss_on: string;
  packing: boolean;
  seed: string;
  gradient_checkpointing: boolean;
  vocab_size: string;
  min_learning_rate: string;
  flash_attention: boolean;
  sequence_parallel: boolean;
  tensor_parallel: string;
  pipeline_parallel: string;
  rank: string;
  alpha: string;
  dropout: string;
  target_modules: string[];
  zero: string;
  double_quantization: boolean;
  beta: string;
  loss: string;
  label_smoothing: string;
  /** What its checkpoints are scored on; without an entry they are not. */
  checkpoint_evaluation: ScoringDraft;
}

export const LINEARS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

/** The methods that fit a task type, the first by default. */
export function methodsOf(type: TrainingKind): readonly Method[] {
  if (type === 'pretrain') return ['full'];
  return type === 'dpo' ? ['lora', 'qlora'] : ['full', 'lora', 'qlora'];
}

/** The kind of dataset that a task type learns from. */
export function datasetKindOf(type: TrainingKind): 'pretrain' | 'sft' | 'preference' {
  return type === 'dpo' ? 'preference' : type;
}

/** Which tokens may carry loss. */
export function lossesOf(type: TrainingKind): readonly string[] {
  if (type === 'dpo') return ['assistant'];
  return type === 'pretrain' ? ['assistant', 'all'] : ['assistant', 'completion', 'all'];
}

export function blank(): TrainingDraft {
  return {
    task_type: 'sft',
    method: 'lora',
    model: '',
    dataset: '',
    sequence_length: '2048',
    precision: 'bf16',
    split: '98,2,0',
    pool: 'fast',
    learning_rate: '',
    schedule: 'cosine',
    warmup_ratio: '',
    weight_decay: '',
    max_grad_norm: '',
    epochs: '1',
    max_steps: '',
    micro_batch_size: '1',
    gradient_accumulation_steps: '1',
    global_batch_size: '',
    log_interval: '1',
    save_interval: '100',
    eval_interval: '',
    early_stopping_patience: '',
    keep_checkpoints: '',
    export: 'best',
    loss_on: 'assistant',
    packing: false,
    seed: '42',
    gradient_checkpointing: false,
    vocab_size: '',
    min_learning_rate: '',
    flash_attention: true,
    sequence_parallel: true,
    tensor_parallel: '1',
    pipeline_parallel: '1',
    rank: '8',
    alpha: '16',
    dropout: '',
    target_modules: [...LINEARS],
    zero: 'zero2',
    double_quantization: false,
    beta: '0.1',
    loss: 'sigmoid',
    label_smoothing: '',
    checkpoint_evaluation: unscored(),
  };
}

/** A change of one field, and of those that would no longer fit it. */
export function changed(draft: TrainingDraft, change: Partial<TrainingDraft>): TrainingDraft {
  const next = { ...draft, ...change };
  const methods = methodsOf(next.task_type);
  if (!methods.includes(next.method)) next.method = methods[0] as Method;
  if (next.task_type !== draft.task_type && datasetKindOf(next.task_type) !== datasetKindOf(draft.task_type)) {
    next.dataset = change.dataset ?? '';
  }
  if (!lossesOf(next.task_type).includes(next.loss_on)) next.loss_on = 'assistant';
  if (next.task_type === 'dpo') next.packing = false;
  if (next.task_type !== 'pretrain') next.vocab_size = '';
  if (next.method !== 'qlora') next.double_quantization = false;
  if (next.schedule === 'constant') next.min_learning_rate = '';
  if (next.loss !== 'sigmoid') next.label_smoothing = '';
  return next;
}

/** Rows of one step, as far as they can be told. */
export function rowsPerStep(draft: TrainingDraft): number | null {
  const product = Number(draft.micro_batch_size) * Number(draft.gradient_accumulation_steps);
  return Number.isInteger(product) && product > 0 ? product : null;
}

/** The specification; parts of other methods and task types are left out. */
export function toSpec(draft: TrainingDraft): TrainingSpec {
  const spec: Partial<TrainingSpec> = {
    kind: 'training',
    task_type: draft.task_type,
    method: draft.method,
    model: draft.model || undefined,
    dataset: draft.dataset || undefined,
    sequence_length: number(draft.sequence_length),
    precision: draft.precision as TrainingSpec['precision'],
    split: split(draft.split),
    pool: draft.pool,
    learning_rate: number(draft.learning_rate),
    schedule: draft.schedule as TrainingSpec['schedule'],
    warmup_ratio: number(draft.warmup_ratio),
    weight_decay: number(draft.weight_decay),
    max_grad_norm: number(draft.max_grad_norm),
    epochs: number(draft.epochs),
    max_steps: number(draft.max_steps),
    micro_batch_size: number(draft.micro_batch_size),
    gradient_accumulation_steps: number(draft.gradient_accumulation_steps),
    global_batch_size: number(draft.global_batch_size),
    log_interval: number(draft.log_interval),
    save_interval: number(draft.save_interval),
    eval_interval: number(draft.eval_interval),
    early_stopping_patience: number(draft.early_stopping_patience),
    keep_checkpoints: number(draft.keep_checkpoints),
    export: draft.export as TrainingSpec['export'],
    loss_on: draft.loss_on as TrainingSpec['loss_on'],
    packing: draft.packing,
    seed: number(draft.seed),
  };
  if (draft.vocab_size.trim()) spec.tokenizer = { train: { vocab_size: number(draft.vocab_size) as number } };
  if (draft.method === 'full') spec.full = full(draft);
  else spec.lora = adapter(draft);
  if (draft.task_type === 'dpo') spec.dpo = preference(draft);
  if (draft.checkpoint_evaluation.datasets.length > 0) spec.checkpoint_evaluation = toScoring(draft.checkpoint_evaluation);
  return defined(spec) as TrainingSpec;
}

function full(draft: TrainingDraft): TrainingSpec['full'] {
  return defined({
    min_learning_rate: number(draft.min_learning_rate) as number,
    flash_attention: draft.flash_attention,
    sequence_parallel: draft.sequence_parallel,
    tensor_parallel: number(draft.tensor_parallel) as number,
    pipeline_parallel: number(draft.pipeline_parallel) as number,
    gradient_checkpointing: draft.gradient_checkpointing,
  });
}

function adapter(draft: TrainingDraft): TrainingSpec['lora'] {
  const isAll = LINEARS.every((name) => draft.target_modules.includes(name));
  return defined({
    rank: number(draft.rank) as number,
    alpha: number(draft.alpha) as number,
    dropout: number(draft.dropout) as number,
    target_modules: isAll ? ('all-linear' as const) : draft.target_modules,
    zero: draft.zero as 'zero2',
    gradient_checkpointing: draft.gradient_checkpointing,
    double_quantization: draft.double_quantization,
  });
}

function preference(draft: TrainingDraft): TrainingSpec['dpo'] {
  return defined({
    beta: number(draft.beta) as number,
    loss: draft.loss as 'sigmoid',
    label_smoothing: number(draft.label_smoothing) as number,
  });
}

/** The form of a specification, for a clone. */
export function fromSpec(spec: TrainingSpec): TrainingDraft {
  const base = blank();
  const { full: whole, lora, dpo, checkpoint_evaluation: scoring } = spec;
  return {
    ...base,
    task_type: spec.task_type,
    method: spec.method,
    model: spec.model,
    dataset: spec.dataset,
    sequence_length: typed(spec.sequence_length),
    precision: spec.precision ?? base.precision,
    split: spec.split?.join(',') ?? base.split,
    pool: spec.pool ?? base.pool,
    learning_rate: typed(spec.learning_rate),
    schedule: spec.schedule ?? base.schedule,
    warmup_ratio: typed(spec.warmup_ratio),
    weight_decay: typed(spec.weight_decay),
    max_grad_norm: typed(spec.max_grad_norm),
    epochs: typed(spec.epochs ?? 1),
    max_steps: typed(spec.max_steps),
    micro_batch_size: typed(spec.micro_batch_size ?? 1),
    gradient_accumulation_steps: typed(spec.gradient_accumulation_steps ?? 1),
    global_batch_size: typed(spec.global_batch_size),
    log_interval: typed(spec.log_interval ?? 1),
    save_interval: typed(spec.save_interval ?? 100),
    eval_interval: typed(spec.eval_interval),
    early_stopping_patience: typed(spec.early_stopping_patience),
    keep_checkpoints: typed(spec.keep_checkpoints),
    export: spec.export ?? base.export,
    loss_on: spec.loss_on ?? base.loss_on,
    packing: spec.packing ?? false,
    seed: typed(spec.seed ?? 42),
    vocab_size: typed(spec.tokenizer?.train.vocab_size),
    gradient_checkpointing: whole?.gradient_checkpointing ?? lora?.gradient_checkpointing ?? false,
    ...(whole && {
      min_learning_rate: typed(whole.min_learning_rate),
      flash_attention: whole.flash_attention,
      sequence_parallel: whole.sequence_parallel,
      tensor_parallel: typed(whole.tensor_parallel),
      pipeline_parallel: typed(whole.pipeline_parallel),
    }),
    ...(lora && {
      rank: typed(lora.rank),
      alpha: typed(lora.alpha),
      dropout: typed(lora.dropout),
      target_modules: Array.isArray(lora.target_modules) ? lora.target_modules : [...LINEARS],
      double_quantization: lora.double_quantization,
    }),
    ...(dpo && { beta: typed(dpo.beta), loss: dpo.loss, label_smoothing: typed(dpo.label_smoothing) }),
    ...(scoring && { checkpoint_evaluation: fromScoring(scoring) }),
  };
}

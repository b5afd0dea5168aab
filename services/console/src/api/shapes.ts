// Answers that the API's document does not describe, as its code writes them.

/** `GET /tasks/{id}/stages`. */
export interface Stage {
  name: string;
  state: 'running' | 'finished' | 'interrupted';
  epoch: number;
  progress: { done: number; total: number; unit: string } | null;
  started_at: string;
  finished_at: string | null;
  log: string | null;
}

/** `GET /tasks/{id}/metrics`: points are `[step, value]`. */
export interface Metrics {
  series: Record<string, [number, number | null][]>;
  has_more: boolean;
  next_after_step: number | null;
}

/** `GET /tasks/{id}/checkpoints`. */
export interface Checkpoint {
  id: string;
  step: number;
  epoch: number;
  size_bytes: number;
  best: boolean;
  created_at: string;
}

/** `GET /tasks/{id}/checkpoint-evaluations`: the evaluation of a checkpoint, or of the model before the first step. */
export interface CheckpointScore {
  step: number;
  /** Absent before the first step. */
  checkpoint: string | null;
  state: 'wanted' | 'made' | 'scored' | 'failed' | 'withdrawn';
  /** The task that it is, once it is one. */
  evaluation: string | null;
  failure: string | null;
}

/** A fact: `GET /tasks/{id}/events`, and the data of `GET /events`. */
export interface Fact {
  id: number;
  type: string;
  time: string;
  task: string;
  epoch: number;
  seq: number;
  event: Record<string, unknown>;
}

/** A line of `GET /tasks/{id}/logs` and of its stream. */
export interface LogLine {
  line: number;
  stage: string;
  at: string;
  level: string;
  message: string;
}

/** `GET /tasks/{id}/artifacts`. */
export interface Artifact {
  role: string;
  size_bytes: number;
  manifest_sha256: string;
  files: { path: string; size: number; sha256: string }[];
}

export interface Posting {
  id: number;
  operation: string;
  reason: string;
  debit: string;
  credit: string;
  amount_microcredits: number;
  task: string | null;
  at: string;
}

/** `GET /tasks/{id}/bill`. */
export interface Bill {
  task: string;
  rate_per_hour_microcredits: number;
  quoted_microcredits: number;
  held_microcredits: number;
  captured_microcredits: number;
  released_microcredits: number;
  credited_microcredits: number;
  running_seconds: number;
  closed: boolean;
  postings: Posting[];
}

/** `GET /billing/balance`. */
export interface Balance {
  available_microcredits: number;
  held_microcredits: number;
  spent_microcredits: number;
}

/** `GET /billing/prices`. */
export interface Price {
  kind: string;
  pool: string;
  rate_per_hour_microcredits: number;
}

/** `GET /billing/ledger`. */
export interface Ledger {
  data: Posting[];
  has_more: boolean;
  next_after: number | null;
}

/** `POST /billing/audit`. */
export interface Audit {
  rows: { task: string; charged_microcredits: number; recomputed_microcredits: number }[];
  difference_microcredits: number;
}

/** `GET /benchmarks`. */
export interface Benchmark {
  name: string;
  description: string;
  subject_prefix?: string;
}

/** `GET /tasks/{id}/scores`: the evaluator's results file, of which this page reads a part. */
export interface Results {
  results: Record<string, Record<string, unknown>>;
  groups?: Record<string, Record<string, unknown>>;
  group_subtasks?: Record<string, string[]>;
  higher_is_better?: Record<string, Record<string, boolean>>;
  'n-shot'?: Record<string, number>;
  'n-samples'?: Record<string, { original: number; effective: number }>;
  leaks?: unknown;
}

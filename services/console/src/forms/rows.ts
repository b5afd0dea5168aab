// What a form says about the rows of a dataset: what they are, and how their files are read. Pure.

export const KINDS = ['pretrain', 'sft', 'preference', 'evaluation'];
export const FORMATS = ['jsonl', 'json', 'csv', 'tsv', 'parquet', 'arrow', 'text'];

export interface RowsDraft {
  /** Empty: detected. */
  kind: string;
  /** Empty: detected. */
  format: string;
  split: string;
  /** Wrong rows are left out. */
  skip: boolean;
}

export const blankRows = (): RowsDraft => ({ kind: '', format: '', split: '', skip: false });

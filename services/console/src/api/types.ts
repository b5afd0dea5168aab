// The API's own shapes under short names.
import type { components } from './schema';

type Schemas = components['schemas'];

export type Task = Schemas['Task'];
export type TaskKind = Schemas['TaskKind'];
export type TaskState = Schemas['TaskState'];
export type TaskSpec = Schemas['TaskSpec'];
export type CreateTask = Schemas['CreateTask'];
export type TrainingSpec = Schemas['TrainingSpec'];
export type EvaluationSpec = Schemas['EvaluationSpec'];
export type EvaluationDataset = Schemas['EvaluationDataset'];
export type CheckpointEvaluation = Schemas['CheckpointEvaluation'];
export type CompilationSpec = Schemas['CompilationSpec'];
export type TrainingKind = Schemas['TrainingKind'];
export type Method = Schemas['Method'];
export type Pool = Schemas['Pool'];
export type Quote = Schemas['Quote'];
export type Form = Schemas['Form'];
export type Dataset = Schemas['Dataset'];
export type Model = Schemas['Model'];
export type Ancestor = Schemas['Ancestor'];
export type Deployment = Schemas['Deployment'];
export type Sample = Schemas['Sample'];
export type Outcome = Schemas['Outcome'];
export type Standing = Schemas['Standing'];
export type ComparedEvaluations = Schemas['ComparedEvaluations'];
export type MetricComparison = Schemas['MetricComparison'];
export type TaskComparison = Schemas['TaskComparison'];
export type Cause = Schemas['Cause'];
export type Workspace = Schemas['Workspace'];
export type User = Schemas['User'];
export type ApiKey = Schemas['ApiKey'];
export type Role = Schemas['Role'];
export type ProblemPlace = Schemas['ProblemPlace'];
export type HubImport = Schemas['HubImport'];
export type Import = Schemas['Import'];
export type ImportKind = Schemas['ImportKind'];
export type Stage = Schemas['Stage'];
export type CheckpointScore = Schemas['CheckpointScore'];
/** Of a task, and the data of the stream of events. */
export type Fact = Schemas['Fact'];
/** Of a log, and the data of its stream. */
export type LogLine = Schemas['LogLine'];
export type Scores = Schemas['Scores'];
export type Benchmark = Schemas['Benchmark'];
export type Posting = Schemas['Posting'];
export type Audit = Schemas['Audit'];
export type Link = Schemas['Link'];

/** A page of a list. */
export interface Page<T> {
  data: T[];
  has_more: boolean;
  next_cursor?: string | null;
}

// The rules of the other two forms.
import { describe, expect, it } from 'vitest';
import * as compilation from '../src/forms/compilation';
import * as evaluation from '../src/forms/evaluation';

const MODEL = 'model-00000000000000000000000000000001';
const DATASET = 'ds-00000000000000000000000000000001';
const TASK = 'task-00000000000000000000000000000001';

describe('an evaluation', () => {
  const draft = { ...evaluation.blank(), model: MODEL, datasets: [{ ...evaluation.entry(), benchmark: 'arc_easy', dataset: DATASET, limit: '20' }] };

  it('sends what was filled in', () => {
    const spec = evaluation.toSpec(draft);
    expect(spec).toMatchObject({ kind: 'evaluation', model: MODEL, model_source: 'trained', datasets: [{ benchmark: 'arc_easy', dataset: DATASET, limit: 20 }] });
    expect('num_fewshot' in (spec.datasets[0] ?? {})).toBe(false);
    expect(evaluation.toSpec(evaluation.fromSpec(spec))).toEqual(spec);
  });

  it('takes the model of a task, whose source the platform knows', () => {
    const spec = evaluation.toSpec({ ...draft, from_task: TASK });
    expect(spec.model).toEqual({ task: TASK });
    expect('model_source' in spec).toBe(false);
  });

  it('finds the dataset of a benchmark by its name, or by its family', () => {
    const datasets = [{ id: 'a', name: 'mmlu' }, { id: 'b', name: 'arc_easy' }];
    expect(evaluation.datasetFor('arc_easy', datasets)).toBe('b');
    expect(evaluation.datasetFor('mmlu_anatomy', datasets)).toBe('a');
    expect(evaluation.datasetFor('mm', datasets)).toBe('');
  });

  it('offers the rows that a benchmark can read', () => {
    expect(evaluation.datasetKindsOf({ benchmark: 'arc_easy' })).toEqual(['evaluation']);
    expect(evaluation.datasetKindsOf({ benchmark: 'heldout_loss' })).toEqual(['sft']);
    expect(evaluation.datasetKindsOf({ benchmark: 'mine', task: {} })).toContain('pretrain');
  });
});

describe('a compilation', () => {
  const draft = { ...compilation.blank(), model: MODEL };

  it('is calibrated when it is int8 and only then', () => {
    expect(compilation.toSpec(draft).calibration).toBe('c4');
    expect(compilation.toSpec({ ...draft, calibration: 'dataset', calibration_dataset: DATASET }).calibration).toEqual({ dataset: DATASET });
    expect('calibration' in compilation.toSpec({ ...draft, calibration: 'dataset' })).toBe(false);
    expect('calibration' in compilation.toSpec({ ...draft, quantization: 'fp16' })).toBe(false);
  });

  it('comes back from the form of a clone as it was', () => {
    for (const one of [draft, { ...draft, quantization: 'fp16' as const }, { ...draft, calibration: 'dataset', calibration_dataset: DATASET, validation_dataset: DATASET, max_perplexity_ratio: '1.2' }]) {
      const spec = compilation.toSpec(one);
      expect(compilation.toSpec(compilation.fromSpec(spec))).toEqual(spec);
    }
  });
});

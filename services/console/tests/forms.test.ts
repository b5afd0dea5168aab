// The rules of the other two forms.
import { describe, expect, it } from 'vitest';
import * as compilation from '../src/forms/compilation';
import * as evaluation from '../src/forms/evaluation';
import { datasetFor, datasetKindsOf, entry } from '../src/forms/scoring';

const MODEL = 'model-00000000000000000000000000000001';
const DATASET = 'ds-00000000000000000000000000000001';
const TASK = 'task-00000000000000000000000000000001';

describe('an evaluation', () => {
  const draft = { ...evaluation.blank(), model: MODEL, datasets: [{ ...entry(), benchmark: 'arc_easy', dataset: DATASET, limit: '20' }] };

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

  it('of a checkpoint stays one in the form of a clone, until another model is chosen', () => {
    const spec = { ...evaluation.toSpec(draft), from_task: TASK, checkpoint: 'ckpt-00000000000000000000000000000001' };
    const clone = evaluation.fromSpec(spec);
    expect(evaluation.toSpec(clone)).toEqual(spec);
    expect(evaluation.toSpec({ ...clone, from_task: '' })).toEqual(evaluation.toSpec(draft));
  });

  it('finds the dataset of a benchmark by its name, or by its family', () => {
    const datasets = [{ id: 'a', name: 'mmlu' }, { id: 'b', name: 'arc_easy' }];
    expect(datasetFor('arc_easy', datasets)).toBe('b');
    expect(datasetFor('mmlu_anatomy', datasets)).toBe('a');
    expect(datasetFor('mm', datasets)).toBe('');
  });

  it('offers the rows that a benchmark can read', () => {
    expect(datasetKindsOf({ benchmark: 'arc_easy' })).toEqual(['evaluation']);
    expect(datasetKindsOf({ benchmark: 'heldout_loss' })).toEqual(['sft']);
    expect(datasetKindsOf({ benchmark: 'mine', task: {} })).toContain('pretrain');
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

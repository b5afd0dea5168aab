// The rules of the training form: which choices fit, and which specification is sent.
import { describe, expect, it } from 'vitest';
import { blank, changed, datasetKindOf, fromSpec, LINEARS, methodsOf, rowsPerStep, toSpec } from '../src/forms/training';
import { entry, unscored } from '../src/forms/scoring';
import type { TrainingDraft } from '../src/forms/training';
import type { TrainingSpec } from '../src/api/types';

const MODEL = 'model-00000000000000000000000000000001';
const DATASET = 'ds-00000000000000000000000000000001';
const filled = (change: Partial<TrainingDraft>): TrainingDraft => changed({ ...blank(), model: MODEL, dataset: DATASET }, change);

describe('task types and methods', () => {
  it('fit as the table of the manual says', () => {
    expect(methodsOf('pretrain')).toEqual(['full']);
    expect(methodsOf('sft')).toEqual(['full', 'lora', 'qlora']);
    expect(methodsOf('dpo')).toEqual(['lora', 'qlora']);
    expect([datasetKindOf('pretrain'), datasetKindOf('sft'), datasetKindOf('dpo')]).toEqual(['pretrain', 'sft', 'preference']);
  });

  it('that no longer fit are changed with the choice that excludes them', () => {
    const pretrain = filled({ task_type: 'pretrain' });
    expect([pretrain.method, pretrain.dataset]).toEqual(['full', '']);
    const dpo = changed(filled({ method: 'full', packing: true, loss_on: 'completion' }), { task_type: 'dpo' });
    expect([dpo.method, dpo.packing, dpo.loss_on]).toEqual(['lora', false, 'assistant']);
    expect(changed(filled({ method: 'qlora', double_quantization: true }), { method: 'lora' }).double_quantization).toBe(false);
    expect(changed(filled({ min_learning_rate: '1e-6' }), { schedule: 'constant' }).min_learning_rate).toBe('');
    expect(changed(filled({ label_smoothing: '0.1' }), { loss: 'ipo' }).label_smoothing).toBe('');
  });
});

describe('the specification', () => {
  it('has the parts of its own method and type only', () => {
    const full = toSpec(filled({ method: 'full' }));
    expect([full.full != null, full.lora, full.dpo]).toEqual([true, undefined, undefined]);
    const dpo = toSpec(filled({ task_type: 'dpo' }));
    expect([dpo.full, dpo.lora != null, dpo.dpo?.beta]).toEqual([undefined, true, 0.1]);
    expect(toSpec(filled({ task_type: 'pretrain', vocab_size: '512' })).tokenizer).toEqual({ train: { vocab_size: 512 } });
  });

  it('leaves out what was left empty, and lets the API name what is no number', () => {
    const spec = toSpec(filled({ learning_rate: '', epochs: 'many', split: '98, x, 0' })) as unknown as Record<string, unknown>;
    expect('learning_rate' in spec).toBe(false);
    expect(spec.epochs).toBe('many');
    expect(spec.split).toEqual([98, 'x', 0]);
    expect(toSpec(filled({ learning_rate: ' 2e-4 ', split: '90,10,0' }))).toMatchObject({ learning_rate: 2e-4, split: [90, 10, 0] });
    expect('model' in toSpec(blank())).toBe(false);
  });

  it('scores its checkpoints where a benchmark is named, and only there', () => {
    expect('checkpoint_evaluation' in toSpec(filled({}))).toBe(false);
    const scored = (change: object) => toSpec(filled({ checkpoint_evaluation: { ...unscored(), ...change } })).checkpoint_evaluation;
    expect(scored({ seed: '7', apply_chat_template: true })).toBeUndefined();
    expect(scored({ datasets: [{ ...entry(), benchmark: 'arc_easy', dataset: DATASET, limit: '200' }, { ...entry(), benchmark: 'heldout_loss', limit: 'few' }], max_length: '512' })).toEqual({
      datasets: [{ benchmark: 'arc_easy', dataset: DATASET, limit: 200 }, { benchmark: 'heldout_loss', limit: 'few' }], apply_chat_template: false, max_length: 512,
    });
  });

  it('names every linear as the preset, and some of them by name', () => {
    expect(toSpec(filled({})).lora?.target_modules).toBe('all-linear');
    expect(toSpec(filled({ target_modules: ['q_proj'] })).lora?.target_modules).toEqual(['q_proj']);
  });

  it('comes back from the form of a clone as it was', () => {
    const specs: TrainingDraft[] = [
      filled({ method: 'full', min_learning_rate: '1e-6', tensor_parallel: '2', gradient_checkpointing: true }),
      filled({ method: 'qlora', rank: '4', target_modules: [LINEARS[0], LINEARS[5]], double_quantization: true, early_stopping_patience: '3' }),
      filled({ task_type: 'dpo', dataset: DATASET, beta: '0.2', loss: 'hinge', pool: 'turbo' }),
      filled({ task_type: 'pretrain', dataset: DATASET, vocab_size: '4096', max_steps: '10' }),
      filled({ checkpoint_evaluation: { datasets: [{ ...entry(), benchmark: 'arc_easy', dataset: DATASET, num_fewshot: '5', alias: 'five' }], apply_chat_template: true, max_length: '64', seed: '1' } }),
    ];
    for (const draft of specs) {
      const spec = toSpec(draft);
      expect(toSpec(fromSpec(spec))).toEqual(spec);
    }
    const bare: TrainingSpec = { kind: 'training', task_type: 'sft', method: 'lora', model: MODEL, dataset: DATASET };
    expect(fromSpec(bare)).toMatchObject({ epochs: '1', split: '98,2,0', precision: 'bf16' });
  });

  it('has as many rows in a step as its batch says', () => {
    expect(rowsPerStep(filled({ micro_batch_size: '4', gradient_accumulation_steps: '8' }))).toBe(32);
    expect(rowsPerStep(filled({ micro_batch_size: 'x' }))).toBeNull();
  });
});

// The advanced parameters of a training task: those of its method, and those that every method has. Closed until they are wanted.
import type { ComponentChildren } from 'preact';
import { Check, Field, Numeric, Select } from '../../components/Field';
import { LINEARS, lossesOf, rowsPerStep, type TrainingDraft } from '../../forms/training';
import { t, word, type Key } from '../../i18n';
import type { Part } from './Training';

type NumericField = { [K in keyof TrainingDraft]: TrainingDraft[K] extends string ? K : never }[keyof TrainingDraft];

/** A number of the draft; its words are those of its name in the specification. */
function Value({ part, field, at, list, hint, empty, isDisabled }: { part: Part; field: NumericField; at?: string; empty?: string; list?: readonly string[]; hint?: ComponentChildren; isDisabled?: boolean }) {
  const name = at ?? field;
  return (
    <Numeric name={`spec.${name}`} label={t(`spec.${name}` as Key)} value={part.draft[field]} list={list} hint={hint} isDisabled={isDisabled}
      placeholder={empty ?? t('form.default')} onChange={(value) => part.set({ [field]: value })} />
  );
}

function Choose({ part, field, at, values, isDisabled, hint }: { part: Part; field: NumericField; at?: string; values: readonly string[]; isDisabled?: boolean; hint?: string }) {
  const name = at ?? field;
  return (
    <Select name={`spec.${name}`} label={t(`spec.${name}` as Key)} value={part.draft[field]} isDisabled={isDisabled} hint={hint}
      choices={values.map((value) => ({ value, name: word('value', value) }))} onChange={(value) => part.set({ [field]: value })} />
  );
}

export function Advanced(part: Part) {
  const { draft } = part;
  return (
    <details class="card">
      <summary><h2>{t('section.advanced')}</h2></summary>
      <h3>{t('section.optimisation')}</h3>
      <div class="fields">
        <Value part={part} field="learning_rate" hint={t('hint.learning_rate')} />
        {draft.method === 'full' && <Value part={part} field="min_learning_rate" at="full.min_learning_rate" isDisabled={draft.schedule === 'constant'} />}
        <Choose part={part} field="schedule" values={['cosine', 'linear', 'constant']} />
        <Value part={part} field="warmup_ratio" />
        <Value part={part} field="weight_decay" />
        <Value part={part} field="max_grad_norm" />
        <Value part={part} field="epochs" />
        <Value part={part} field="max_steps" empty={t('form.none')} />
      </div>
      <Batch {...part} />
      {draft.method === 'full' ? <Full {...part} /> : <Adapter {...part} />}
      {draft.task_type === 'dpo' && <Preference {...part} />}
      <Checkpoints {...part} />
    </details>
  );
}

function Batch(part: Part) {
  const { draft, set } = part;
  const rows = rowsPerStep(draft);
  return (
    <>
      <h3>{t('section.batch')}</h3>
      <div class="fields">
        <Value part={part} field="micro_batch_size" list={['1', '2']} />
        <Value part={part} field="gradient_accumulation_steps" />
        <Value part={part} field="global_batch_size" hint={rows ? t('hint.global_batch_size', { n: rows }) : undefined} />
        <Choose part={part} field="loss_on" values={lossesOf(draft.task_type)} />
        <Check name="spec.packing" label={t('spec.packing')} value={draft.packing} isDisabled={draft.task_type === 'dpo'} hint={t('hint.packing')} onChange={(packing) => set({ packing })} />
        {draft.task_type === 'pretrain' && <Value part={part} field="vocab_size" at="tokenizer.train.vocab_size" hint={t('hint.vocab_size')} />}
      </div>
    </>
  );
}

function Full(part: Part) {
  const { draft, set } = part;
  return (
    <>
      <h3>{t('section.full')}</h3>
      <div class="fields">
        <Check name="spec.full.flash_attention" label={t('spec.full.flash_attention')} value={draft.flash_attention} isDisabled hint={t('hint.flash_attention')} onChange={() => undefined} />
        <Check name="spec.full.sequence_parallel" label={t('spec.full.sequence_parallel')} value={draft.sequence_parallel} onChange={(sequence_parallel) => set({ sequence_parallel })} />
        <Value part={part} field="tensor_parallel" at="full.tensor_parallel" />
        <Value part={part} field="pipeline_parallel" at="full.pipeline_parallel" />
        <Check name="spec.full.gradient_checkpointing" label={t('spec.full.gradient_checkpointing')} value={draft.gradient_checkpointing} hint={t('hint.gradient_checkpointing')} onChange={(gradient_checkpointing) => set({ gradient_checkpointing })} />
      </div>
    </>
  );
}

function Adapter(part: Part) {
  const { draft, set } = part;
  return (
    <>
      <h3>{t('section.adapter')}</h3>
      <div class="fields">
        <Value part={part} field="rank" at="lora.rank" />
        <Value part={part} field="alpha" at="lora.alpha" />
        <Value part={part} field="dropout" at="lora.dropout" />
        <Choose part={part} field="zero" at="lora.zero" values={['zero2']} hint={t('hint.zero')} />
        <Check name="spec.lora.gradient_checkpointing" label={t('spec.lora.gradient_checkpointing')} value={draft.gradient_checkpointing} hint={t('hint.gradient_checkpointing')} onChange={(gradient_checkpointing) => set({ gradient_checkpointing })} />
        {draft.method === 'qlora' && (
          <Check name="spec.lora.double_quantization" label={t('spec.lora.double_quantization')} value={draft.double_quantization} onChange={(double_quantization) => set({ double_quantization })} />
        )}
        <Modules {...part} />
      </div>
    </>
  );
}

function Modules({ draft, set }: Part) {
  const toggle = (name: string, isOn: boolean): void =>
    set({ target_modules: LINEARS.filter((one) => (one === name ? isOn : draft.target_modules.includes(one))) });
  return (
    <Field name="spec.lora.target_modules" label={t('spec.lora.target_modules')} isWide>
      {(wiring) => (
        <div class="checks" id={wiring.id} role="group" aria-label={t('spec.lora.target_modules')} tabIndex={-1}>
          {LINEARS.map((name) => (
            <label key={name}>
              <input type="checkbox" checked={draft.target_modules.includes(name)} onChange={(event) => toggle(name, event.currentTarget.checked)} onBlur={wiring.onBlur} />
              <code>{name}</code>
            </label>
          ))}
        </div>
      )}
    </Field>
  );
}

function Preference(part: Part) {
  return (
    <>
      <h3>{t('section.dpo')}</h3>
      <div class="fields">
        <Value part={part} field="beta" at="dpo.beta" />
        <Choose part={part} field="loss" at="dpo.loss" values={['sigmoid', 'ipo', 'hinge']} />
        <Value part={part} field="label_smoothing" at="dpo.label_smoothing" isDisabled={part.draft.loss !== 'sigmoid'} />
      </div>
    </>
  );
}

function Checkpoints(part: Part) {
  return (
    <>
      <h3>{t('section.checkpoints')}</h3>
      <div class="fields">
        <Value part={part} field="log_interval" />
        <Value part={part} field="save_interval" />
        <Value part={part} field="eval_interval" hint={t('hint.eval_interval')} />
        <Value part={part} field="early_stopping_patience" empty={t('form.none')} />
        <Value part={part} field="keep_checkpoints" />
        <Choose part={part} field="export" values={['best', 'last']} />
      </div>
    </>
  );
}

// The creation form of a training task.
import { useState } from 'preact/hooks';
import type { Form, Method, Pool, TrainingKind } from '../../api/types';
import { Select, Numeric, Text } from '../../components/Field';
import { Busy, Card } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { Segments } from '../../components/Segments';
import { FREE_DATASETS } from '../../forms/scoring';
import { blank, changed, datasetKindOf, fromSpec, methodsOf, toSpec, type TrainingDraft } from '../../forms/training';
import { t, word } from '../../i18n';
import { datasetChoices, modelChoices, useDatasets, useModels } from './choices';
import { useClone } from './clone';
import { type About, Frame } from './Frame';
import { Asking, Benchmarks, type ScoringPart } from './Scoring';
import { Advanced } from './TrainingAdvanced';

export function CreateTraining() {
  const clone = useClone();
  if (clone.problem) return <Notice problem={clone.problem} again={clone.reload} />;
  return clone.data === undefined ? <Busy /> : <TrainingForm form={clone.data} />;
}

const TYPES: readonly TrainingKind[] = ['pretrain', 'sft', 'dpo'];
const METHODS: readonly Method[] = ['full', 'lora', 'qlora'];

function TrainingForm({ form }: { form: Form | null }) {
  const [about, setAbout] = useState<About>({ name: form?.name ?? '', description: form?.description ?? '' });
  const [draft, setDraft] = useState<TrainingDraft>(form?.spec.kind === 'training' ? fromSpec(form.spec) : blank());
  const set = (change: Partial<TrainingDraft>): void => setDraft((old) => changed(old, change));
  const methods = methodsOf(draft.task_type);
  return (
    <Frame kind="training" about={about} onAbout={setAbout} spec={toSpec(draft)}>
      <Card title={t('section.training')}>
        <div class="fields">
          <Segments name="spec.task_type" label={t('spec.task_type')} value={draft.task_type} hint={t(`hint.task_type.${draft.task_type}`)} isWide
            onChange={(value) => set({ task_type: value as TrainingKind })}
            choices={TYPES.map((value) => ({ value, name: word('value', value) }))} />
          <Segments name="spec.method" label={t('spec.method')} value={draft.method} hint={t(`hint.method.${draft.method}`)} isWide
            onChange={(value) => set({ method: value as Method })}
            choices={METHODS.map((value) => ({ value, name: word('value', value), isDisabled: !methods.includes(value), why: methods.includes(value) ? undefined : t('hint.method.off') }))} />
          <ModelField draft={draft} set={set} />
        </div>
      </Card>
      <Card title={t('section.parameters')}>
        <div class="fields">
          <Numeric name="spec.sequence_length" label={t('spec.sequence_length')} value={draft.sequence_length} list={['2048', '4096']} hint={t('hint.sequence_length')} onChange={(sequence_length) => set({ sequence_length })} />
          <Segments name="spec.precision" label={t('spec.precision')} value={draft.precision} hint={t('hint.precision')} onChange={(precision) => set({ precision })}
            choices={['bf16', 'fp16', 'fp32'].map((value) => ({ value, name: value }))} />
        </div>
      </Card>
      <DataFields draft={draft} set={set} />
      <CheckpointScores draft={draft} set={set} />
      <Card title={t('section.resources')}>
        <div class="fields">
          <Segments name="spec.pool" label={t('spec.pool')} value={draft.pool} hint={t(`hint.pool.${draft.pool}`)} isWide onChange={(value) => set({ pool: value as Pool })}
            choices={['fast', 'turbo'].map((value) => ({ value, name: word('value', value) }))} />
        </div>
      </Card>
      <Advanced draft={draft} set={set} />
    </Frame>
  );
}

export interface Part {
  draft: TrainingDraft;
  set(change: Partial<TrainingDraft>): void;
}

function ModelField({ draft, set }: Part) {
  const models = useModels();
  // What training begins from is a whole model that was not compiled.
  const choices = modelChoices(models.data, (model) => model.format !== 'onnx' && model.format !== 'adapter');
  const isPretrain = draft.task_type === 'pretrain';
  return (
    <>
      <Select name="spec.model" label={t('spec.model')} value={draft.model} choices={choices} placeholder={t('form.choose')} isWide
        hint={isPretrain ? t('hint.model.pretrain') : undefined} onChange={(model) => set({ model })} />
      <Notice problem={models.problem} again={models.reload} />
    </>
  );
}

function DataFields({ draft, set }: Part) {
  const datasets = useDatasets();
  const kind = datasetKindOf(draft.task_type);
  const chosen = datasets.data?.find((dataset) => dataset.id === draft.dataset);
  const mean = chosen && Math.max(1, Math.round(chosen.statistics.mean_row_characters / 4));
  const hint = mean ? t('hint.dataset.tokens', { n: mean }) : t('hint.dataset.kind', { kind: word('dataset_kind', kind) });
  return (
    <Card title={t('section.data')}>
      <div class="fields">
        <Select name="spec.dataset" label={t('spec.dataset')} value={draft.dataset} choices={datasetChoices(datasets.data, [kind])} placeholder={t('form.choose')} hint={hint} isWide
          onChange={(dataset) => set({ dataset })} />
        <Text name="spec.split" label={t('spec.split')} value={draft.split} hint={t('hint.split')} onChange={(split) => set({ split })} />
        <Numeric name="spec.seed" label={t('spec.seed')} value={draft.seed} hint={t('hint.seed')} onChange={(seed) => set({ seed })} />
      </div>
      <Notice problem={datasets.problem} again={datasets.reload} />
    </Card>
  );
}

/** Benchmarks that every saved checkpoint is scored on. */
function CheckpointScores({ draft, set }: Part) {
  const part: ScoringPart = {
    at: 'spec.checkpoint_evaluation',
    draft: draft.checkpoint_evaluation,
    set: (change) => set({ checkpoint_evaluation: { ...draft.checkpoint_evaluation, ...change } }),
  };
  const about = [t('hint.checkpoint_evaluation', { steps: draft.save_interval || '…', n: FREE_DATASETS })];
  if (draft.task_type !== 'pretrain') about.push(t('hint.checkpoint_evaluation.first'));
  return (
    <Benchmarks {...part} title={t('section.checkpoint_evaluation')} about={about.join(' ')} least={0}>
      <div class="fields"><Asking {...part} /></div>
    </Benchmarks>
  );
}

// The creation form of a compilation.
import { useEffect, useState } from 'preact/hooks';
import type { Dataset, Form } from '../../api/types';
import { Numeric, Select, Text } from '../../components/Field';
import { Busy, Card } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { Segments } from '../../components/Segments';
import { blank, type CompilationDraft, fromSpec, toSpec } from '../../forms/compilation';
import { t, word } from '../../i18n';
import { datasetChoices, useDatasets, useModels } from './choices';
import { useClone, useQuery } from './clone';
import { type About, Frame } from './Frame';
import { ModelOfTask } from './ModelOfTask';

export function CreateCompilation() {
  const clone = useClone();
  const task = useQuery('task');
  if (clone.problem) return <Notice problem={clone.problem} again={clone.reload} />;
  return clone.data === undefined ? <Busy /> : <CompilationForm form={clone.data} task={task} />;
}

/** Text that a model can be calibrated with. */
const TEXT = ['pretrain', 'sft'];

function CompilationForm({ form, task }: { form: Form | null; task: string }) {
  const [about, setAbout] = useState<About>({ name: form?.name ?? '', description: form?.description ?? '' });
  const [draft, setDraft] = useState<CompilationDraft>(form?.spec.kind === 'compilation' ? fromSpec(form.spec) : { ...blank(), from_task: task });
  const set = (change: Partial<CompilationDraft>): void => setDraft((old) => ({ ...old, ...change }));
  const models = useModels();
  const datasets = useDatasets();
  return (
    <Frame kind="compilation" about={about} onAbout={setAbout} spec={toSpec(draft)}>
      <Card title={t('section.compilation')}>
        <div class="fields">
          <ModelOfTask kind="compilation" draft={draft} models={models.data} fits={(model) => model.format !== 'onnx'} set={set} />
          <Segments name="spec.quantization" label={t('spec.quantization')} value={draft.quantization} hint={t(`hint.quantization.${draft.quantization}`)}
            onChange={(value) => set({ quantization: value as 'int8' })} choices={['int8', 'fp16'].map((value) => ({ value, name: word('value', value) }))} />
          <Select name="spec.target" label={t('spec.target')} value={draft.target} hint={t('hint.target')}
            choices={['onnxruntime-cpu', 'onnxruntime-cuda'].map((value) => ({ value, name: word('value', value) }))} onChange={(target) => set({ target })} />
          <Text name="spec.tensor_parallel" label={t('spec.tensor_parallel')} value="1" isDisabled hint={t('hint.tensor_parallel')} onChange={() => undefined} />
        </div>
        <Notice problem={models.problem} again={models.reload} />
      </Card>
      {draft.quantization === 'int8' && <Calibration draft={draft} set={set} datasets={datasets.data} />}
      <Card title={t('section.gate')}>
        <p class="dim">{t('hint.gate')}</p>
        <div class="fields">
          <Select name="spec.validation_dataset" label={t('spec.validation_dataset')} value={draft.validation_dataset} choices={datasetChoices(datasets.data, TEXT)} placeholder={t('form.default')}
            onChange={(validation_dataset) => set({ validation_dataset })} />
          <Numeric name="spec.max_perplexity_ratio" label={t('spec.max_perplexity_ratio')} value={draft.max_perplexity_ratio} hint={t('hint.max_perplexity_ratio')}
            onChange={(max_perplexity_ratio) => set({ max_perplexity_ratio })} />
        </div>
        <Notice problem={datasets.problem} again={datasets.reload} />
      </Card>
    </Frame>
  );
}

function Calibration({ draft, set, datasets }: { draft: CompilationDraft; set(change: Partial<CompilationDraft>): void; datasets: readonly Dataset[] | undefined }) {
  const isOwn = draft.calibration === 'dataset';
  // The named samples are built-in datasets, which a platform may not have.
  const isThere = (name: string): boolean => name === 'dataset' || !datasets || datasets.some((one) => one.builtin && one.name === name);
  const fallsBack = !isThere(draft.calibration);
  useEffect(() => {
    if (fallsBack) set({ calibration: 'dataset' });
  }, [fallsBack]);
  return (
    <Card title={t('section.calibration')}>
      <div class="fields">
        <Segments name="spec.calibration" label={t('spec.calibration')} value={draft.calibration} onChange={(value) => set({ calibration: value })}
          choices={['c4', 'ceval', 'dataset'].map((value) => ({ value, name: word('calibration', value), isDisabled: !isThere(value), why: isThere(value) ? undefined : t('hint.calibration.absent') }))} />
        {isOwn && (
          <Select name="spec.calibration.dataset" label={t('spec.calibration.dataset')} value={draft.calibration_dataset} choices={datasetChoices(datasets, TEXT)} placeholder={t('form.choose')}
            onChange={(calibration_dataset) => set({ calibration_dataset })} />
        )}
      </div>
    </Card>
  );
}

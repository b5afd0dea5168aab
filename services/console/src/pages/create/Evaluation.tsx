// The creation form of an evaluation.
import { useState } from 'preact/hooks';
import type { Form } from '../../api/types';
import { Check, Text } from '../../components/Field';
import { Busy, Card } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { Segments } from '../../components/Segments';
import { blank, type EvaluationDraft, fromSpec, toSpec } from '../../forms/evaluation';
import { FREE_DATASETS } from '../../forms/scoring';
import { t, word } from '../../i18n';
import { useModels } from './choices';
import { useClone, useQuery } from './clone';
import { type About, Frame } from './Frame';
import { ModelOfTask } from './ModelOfTask';
import { Asking, Benchmarks } from './Scoring';

export function CreateEvaluation() {
  const clone = useClone();
  const task = useQuery('task');
  if (clone.problem) return <Notice problem={clone.problem} again={clone.reload} />;
  return clone.data === undefined ? <Busy /> : <EvaluationForm form={clone.data} task={task} />;
}

function EvaluationForm({ form, task }: { form: Form | null; task: string }) {
  const [about, setAbout] = useState<About>({ name: form?.name ?? '', description: form?.description ?? '' });
  const [draft, setDraft] = useState<EvaluationDraft>(form?.spec.kind === 'evaluation' ? fromSpec(form.spec) : { ...blank(), from_task: task });
  const set = (change: Partial<EvaluationDraft>): void => setDraft((old) => ({ ...old, ...change }));
  const models = useModels();
  return (
    <Frame kind="evaluation" about={about} onAbout={setAbout} spec={toSpec(draft)}>
      <Card title={t('section.evaluation')}>
        <div class="fields">
          <ModelOfTask kind="evaluation" hint={draft.checkpoint ? t('hint.checkpoint') : undefined} draft={draft} models={models.data} fits={() => true} set={set} />
        </div>
        <Notice problem={models.problem} again={models.reload} />
      </Card>
      <Benchmarks title={t('spec.datasets')} about={t('hint.free_datasets', { n: FREE_DATASETS })} at="spec" draft={draft} set={set} least={1} />
      <Card title={t('section.resources')}>
        <div class="fields">
          <Segments name="spec.pool" label={t('spec.pool')} value="fast" hint={t('hint.pool.one_node')} onChange={() => undefined}
            choices={[{ value: 'fast', name: word('value', 'fast') }, { value: 'turbo', name: word('value', 'turbo'), isDisabled: true, why: t('hint.pool.one_node') }]} />
        </div>
      </Card>
      <details class="card">
        <summary><h2>{t('section.advanced')}</h2></summary>
        <div class="fields">
          <Check name="spec.leak_check" label={t('spec.leak_check')} value={draft.leak_check} hint={t('hint.leak_check')} onChange={(leak_check) => set({ leak_check })} />
          <Asking at="spec" draft={draft} set={set} />
          <Text name="spec.rescore" label={t('spec.rescore')} value={draft.rescore} placeholder={t('form.none')} hint={t('hint.rescore')} onChange={(rescore) => set({ rescore: rescore.trim() })} />
        </div>
      </details>
    </Frame>
  );
}

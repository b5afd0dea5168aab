// The creation form of an evaluation.
import { useState } from 'preact/hooks';
import type { Form } from '../../api/types';
import { Check, Numeric, Text } from '../../components/Field';
import { Busy, Card } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { Segments } from '../../components/Segments';
import { blank, datasetFor, entry, type EntryDraft, type EvaluationDraft, FREE_DATASETS, fromSpec, toSpec } from '../../forms/evaluation';
import { t, word } from '../../i18n';
import { useBenchmarks, useDatasets, useModels } from './choices';
import { useClone, useQuery } from './clone';
import { Entry } from './EvaluationEntry';
import { type About, Frame } from './Frame';
import { ModelOfTask } from './ModelOfTask';

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
          <ModelOfTask kind="evaluation" draft={draft} models={models.data} fits={() => true} set={set} />
        </div>
        <Notice problem={models.problem} again={models.reload} />
      </Card>
      <Entries draft={draft} set={set} />
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
          <Check name="spec.apply_chat_template" label={t('spec.apply_chat_template')} value={draft.apply_chat_template} hint={t('hint.apply_chat_template')} onChange={(apply_chat_template) => set({ apply_chat_template })} />
          <Numeric name="spec.max_length" label={t('spec.max_length')} value={draft.max_length} placeholder={t('form.default')} onChange={(max_length) => set({ max_length })} />
          <Text name="spec.rescore" label={t('spec.rescore')} value={draft.rescore} placeholder={t('form.none')} hint={t('hint.rescore')} onChange={(rescore) => set({ rescore: rescore.trim() })} />
          <Numeric name="spec.seed" label={t('spec.seed')} value={draft.seed} placeholder={t('form.default')} onChange={(seed) => set({ seed })} />
        </div>
      </details>
    </Frame>
  );
}

function Entries({ draft, set }: { draft: EvaluationDraft; set(change: Partial<EvaluationDraft>): void }) {
  const benchmarks = useBenchmarks();
  const datasets = useDatasets();
  const change = (place: number, wanted: Partial<EntryDraft>): void => {
    // The dataset of the benchmark's name is meant, until another one is chosen.
    const found = wanted.benchmark !== undefined ? datasetFor(wanted.benchmark, datasets.data ?? []) : '';
    const whole = found && wanted.dataset === undefined ? { ...wanted, dataset: found } : wanted;
    set({ datasets: draft.datasets.map((one, at) => (at === place ? { ...one, ...whole } : one)) });
  };
  return (
    <Card title={t('spec.datasets')} aside={<button type="button" class="small" onClick={() => set({ datasets: [...draft.datasets, entry()] })}>{t('action.add_dataset')}</button>}>
      <p class="dim">{t('hint.free_datasets', { n: FREE_DATASETS })}</p>
      {draft.datasets.map((one, place) => (
        <Entry key={place} entry={one} place={place} benchmarks={benchmarks.data ?? []} datasets={datasets.data}
          onChange={(wanted) => change(place, wanted)}
          onRemove={draft.datasets.length > 1 ? () => set({ datasets: draft.datasets.filter((_, at) => at !== place) }) : undefined} />
      ))}
      <Notice problem={benchmarks.problem ?? datasets.problem} />
    </Card>
  );
}

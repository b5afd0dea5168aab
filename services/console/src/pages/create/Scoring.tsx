// What a form says about scoring: the benchmarks one by one, and how they are asked.
import type { ComponentChildren } from 'preact';
import { Check, Numeric } from '../../components/Field';
import { Card } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { datasetFor, entry, type EntryDraft, type ScoringDraft } from '../../forms/scoring';
import { t } from '../../i18n';
import { useBenchmarks, useDatasets } from './choices';
import { Entry } from './ScoringEntry';

export interface ScoringPart {
  /** Where the specification has it, such as `spec`. */
  at: string;
  draft: ScoringDraft;
  set(change: Partial<ScoringDraft>): void;
}

interface Props extends ScoringPart {
  title: string;
  about: string;
  /** So many cannot be removed. */
  least: 0 | 1;
  /** What is asked once there is a benchmark. */
  children?: ComponentChildren;
}

export function Benchmarks({ title, about, children, ...part }: Props) {
  const { draft, set } = part;
  return (
    <Card title={title} aside={<button type="button" class="small" onClick={() => set({ datasets: [...draft.datasets, entry()] })}>{t('action.add_dataset')}</button>}>
      <p class="dim">{about}</p>
      {draft.datasets.length > 0 && <><Entries {...part} />{children}</>}
    </Card>
  );
}

function Entries({ at, draft, set, least }: ScoringPart & { least: number }) {
  const benchmarks = useBenchmarks();
  const datasets = useDatasets();
  const change = (place: number, wanted: Partial<EntryDraft>): void => {
    // The dataset of the benchmark's name is meant, until another one is chosen.
    const found = wanted.benchmark !== undefined ? datasetFor(wanted.benchmark, datasets.data ?? []) : '';
    const whole = found && wanted.dataset === undefined ? { ...wanted, dataset: found } : wanted;
    set({ datasets: draft.datasets.map((one, here) => (here === place ? { ...one, ...whole } : one)) });
  };
  return (
    <>
      {draft.datasets.map((one, place) => (
        <Entry key={place} at={`${at}.datasets[${place}]`} entry={one} place={place} benchmarks={benchmarks.data ?? []} datasets={datasets.data}
          onChange={(wanted) => change(place, wanted)}
          onRemove={draft.datasets.length > least ? () => set({ datasets: draft.datasets.filter((_, here) => here !== place) }) : undefined} />
      ))}
      <Notice problem={benchmarks.problem ?? datasets.problem} />
    </>
  );
}

/** How they are asked; stands among other fields. */
export function Asking({ at, draft, set }: ScoringPart) {
  return (
    <>
      <Check name={`${at}.apply_chat_template`} label={t('spec.apply_chat_template')} value={draft.apply_chat_template} hint={t('hint.apply_chat_template')} onChange={(apply_chat_template) => set({ apply_chat_template })} />
      <Numeric name={`${at}.max_length`} label={t('spec.max_length')} value={draft.max_length} placeholder={t('form.default')} onChange={(max_length) => set({ max_length })} />
      <Numeric name={`${at}.seed`} label={t('spec.seed')} value={draft.seed} placeholder={t('form.default')} onChange={(seed) => set({ seed })} />
    </>
  );
}

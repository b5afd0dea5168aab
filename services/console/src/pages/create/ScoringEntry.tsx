// One benchmark of a form: what is asked, and whose rows.
import type { Benchmark, Dataset } from '../../api/types';
import { Numeric, Select, Text } from '../../components/Field';
import { datasetKindsOf, type EntryDraft } from '../../forms/scoring';
import { t } from '../../i18n';
import { datasetChoices } from './choices';

interface Props {
  /** Where the specification has it, such as `spec.datasets[0]`. */
  at: string;
  entry: EntryDraft;
  place: number;
  benchmarks: readonly Benchmark[];
  datasets: readonly Dataset[] | undefined;
  onChange(change: Partial<EntryDraft>): void;
  onRemove: (() => void) | undefined;
}

export function Entry({ at, entry, place, benchmarks, datasets, onChange, onRemove }: Props) {
  const known = benchmarks.find((one) => one.name === entry.benchmark)
    ?? benchmarks.find((one) => one.subject_prefix && entry.benchmark.startsWith(one.subject_prefix));
  return (
    <fieldset class="entry">
      <legend>{t('label.entry', { n: place + 1 })}</legend>
      {onRemove && <button type="button" class="small remove" aria-label={t('action.remove')} onClick={onRemove}>×</button>}
      <div class="fields">
        <Text name={`${at}.benchmark`} label={t('spec.benchmark')} value={entry.benchmark} list={benchmarks.map((one) => one.name)}
          hint={known ? known.description : t('hint.benchmark')} onChange={(benchmark) => onChange({ benchmark: benchmark.trim() })} />
        <Select name={`${at}.dataset`} label={t('spec.rows')} value={entry.dataset} choices={datasetChoices(datasets, datasetKindsOf(entry))} placeholder={t('form.choose')}
          onChange={(dataset) => onChange({ dataset })} />
        <Numeric name={`${at}.num_fewshot`} label={t('spec.num_fewshot')} value={entry.num_fewshot} placeholder={t('form.default')} onChange={(num_fewshot) => onChange({ num_fewshot })} />
        <Numeric name={`${at}.limit`} label={t('spec.limit')} value={entry.limit} placeholder={t('form.all')} onChange={(limit) => onChange({ limit })} />
        <Text name={`${at}.alias`} label={t('spec.alias')} value={entry.alias} hint={t('hint.alias')} onChange={(alias) => onChange({ alias })} />
      </div>
    </fieldset>
  );
}

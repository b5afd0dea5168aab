// Fields that say what the rows of a dataset are, and how their files are read.
import { Check, Select, Text } from '../../components/Field';
import { FORMATS, KINDS, type RowsDraft } from '../../forms/rows';
import { t, word } from '../../i18n';

interface Props {
  draft: RowsDraft;
  set(change: Partial<RowsDraft>): void;
  /** As the request names the kind. */
  kind: 'kind' | 'dataset_kind';
  /** What a split means here. */
  split: string;
}

export function RowFields({ draft, set, kind, split }: Props) {
  return (
    <>
      <Select name={kind} label={t('dataset.kind')} value={draft.kind} placeholder={t('form.detect')} choices={KINDS.map((value) => ({ value, name: word('dataset_kind', value) }))} onChange={(wanted) => set({ kind: wanted })} />
      <Select name="format" label={t('dataset.format')} value={draft.format} placeholder={t('form.detect')} choices={FORMATS.map((value) => ({ value, name: value }))} onChange={(format) => set({ format })} />
      <Text name="split" label={t('dataset.split')} value={draft.split} placeholder="train" hint={split} onChange={(wanted) => set({ split: wanted })} />
      <Check name="skip_invalid" label={t('dataset.skip_invalid')} value={draft.skip} hint={t('hint.skip_invalid')} onChange={(skip) => set({ skip })} />
    </>
  );
}

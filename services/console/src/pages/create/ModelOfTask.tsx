// The model of an evaluation or a compilation: where it comes from and which, or the model of a task that led here.
import { nameOf } from '../../api/names';
import type { Model } from '../../api/types';
import { Field, Select } from '../../components/Field';
import { Segments } from '../../components/Segments';
import { t, word } from '../../i18n';
import { modelChoices, namedSource } from './choices';

interface Chosen {
  model_source: 'builtin' | 'trained';
  model: string;
  from_task: string;
}

interface Props {
  kind: 'evaluation' | 'compilation';
  /** What is taken of the task, where it is not its model. */
  hint?: string;
  draft: Chosen;
  models: readonly Model[] | undefined;
  fits(model: Model): boolean;
  set(change: Partial<Chosen>): void;
}

export function ModelOfTask({ kind, hint, draft, models, fits, set }: Props) {
  const label = t(`spec.model.${kind}`);
  if (draft.from_task) {
    return (
      <Field name="spec.model" label={label} isWide hint={hint ?? t('hint.from_task')}>
        {(wiring) => (
          <p class="chosen">
            <strong>{nameOf(draft.from_task) ?? draft.from_task}</strong>
            <button {...wiring} type="button" class="small" onClick={() => set({ from_task: '' })}>{t('action.choose_other')}</button>
          </p>
        )}
      </Field>
    );
  }
  const choices = modelChoices(models, (model) => namedSource(model) === draft.model_source && fits(model));
  return (
    <>
      <Segments name="spec.model_source" label={t('spec.model_source')} value={draft.model_source} isWide
        onChange={(value) => set({ model_source: value as 'builtin', model: '' })}
        choices={['builtin', 'trained'].map((value) => ({ value, name: word('model_source', value) }))} />
      <Select name="spec.model" label={label} value={draft.model} choices={choices} placeholder={t('form.choose')} isWide
        hint={choices.length === 0 && models ? t('hint.no_model') : undefined} onChange={(model) => set({ model })} />
    </>
  );
}

// The frame of every creation form: name and description, the fields of its kind, and beside them the price and the button.
import type { ComponentChildren } from 'preact';
import { useLocation } from 'wouter-preact';
import type { TaskKind, TaskSpec } from '../../api/types';
import { Area, FormContext, idOf, Text } from '../../components/Field';
import { Card, Heading } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { fieldWord, t, word, type Key } from '../../i18n';
import { Price } from './Price';
import { type Draft, useDraft } from './useDraft';

export interface About {
  name: string;
  description: string;
}

interface Props {
  kind: TaskKind;
  about: About;
  onAbout(about: About): void;
  spec: TaskSpec;
  children: ComponentChildren;
}

export function Frame({ kind, about, onAbout, spec, children }: Props) {
  const draft = useDraft(about.name, about.description, spec);
  const [, go] = useLocation();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const task = await draft.submit();
    if (task) go(`/${kind}/${task.id}/progress`);
    else document.getElementById('errors')?.focus();
  };
  return (
    <FormContext.Provider value={draft.form}>
      <Heading title={t(`create.${kind}` as Key)} />
      <form class="create" noValidate onSubmit={(event) => void submit(event)}>
        <div class="create-fields">
          <Card title={t('section.basic')}>
            <div class="fields">
              <Text name="name" label={t('field.name')} value={about.name} isRequired isWide onChange={(name) => onAbout({ ...about, name })} />
              <Area name="description" label={t('field.description')} value={about.description} isWide onChange={(description) => onAbout({ ...about, description })} />
            </div>
          </Card>
          {children}
        </div>
        <aside class="create-aside">
          <Price draft={draft} kind={kind} />
          <Wrong draft={draft} />
          <Notice problem={draft.problem} />
          <button type="submit" class="primary large" disabled={draft.isBusy && draft.wasSubmitted}>{t('action.launch')}</button>
        </aside>
      </form>
    </FormContext.Provider>
  );
}

/** The words of a field that the API names, such as `spec.datasets[1].limit`; the name itself where the form has none. */
function labelOf(field: string): string {
  if (field === 'name' || field === 'description') return word('field', field);
  const entry = /\.datasets\[(\d+)\]\.(\w+)$/.exec(field);
  if (entry) return `${t('label.entry', { n: Number(entry[1]) + 1 })}: ${word('spec', entry[2] === 'dataset' ? 'rows' : (entry[2] ?? ''))}`;
  return fieldWord(field.replace(/^spec\./, '').replace(/\[\d+\]$/, ''));
}

/** Every wrong field at once, each leading to its place in the form. */
function Wrong({ draft }: { draft: Draft }) {
  const shown = draft.errors.filter((error) => draft.form.isTouched(error.field ?? ''));
  if (shown.length === 0) return null;
  const reach = (field: string): void => {
    const exact = document.getElementById(idOf(field));
    (exact ?? document.getElementById(idOf(field.replace(/\[\d+\]$/, ''))))?.focus();
  };
  return (
    <div class="notice bad" role="alert" id="errors" tabIndex={-1}>
      <strong>{t('form.wrong', { n: shown.length })}</strong>
      <ul>
        {shown.map((error) => (
          <li key={`${error.field} ${error.message}`}>
            <button type="button" class="link" onClick={() => reach(error.field ?? '')}><span title={error.field ?? ''}>{labelOf(error.field ?? '')}</span></button> {error.message}
          </li>
        ))}
      </ul>
    </div>
  );
}

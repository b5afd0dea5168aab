// Importing a model or a dataset from a hub: the platform fetches it itself, and the list below says how far that is.
import { useMemo, useState } from 'preact/hooks';
import { ask, onceKey } from '../../api/client';
import { useInterval, usePages } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { isOperator, may } from '../../api/session';
import type { Import, ImportKind } from '../../api/types';
import { Area, Check, FormContext, idOf, refusedWith, Text } from '../../components/Field';
import { Card, Heading, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { blank, fromRequest, type HubDraft, isUnderWay, toRequest } from '../../forms/hub';
import { t } from '../../i18n';
import { Imports } from './Imports';
import { RowFields } from './RowFields';

const UNDER_WAY_MS = 2000;

export function ImportFromHub({ kind }: { kind: ImportKind }) {
  const list = usePages<Import>((cursor) => ask('get', '/api/v1/imports', { query: { kind, limit: 50, cursor } }), [kind]);
  const [draft, setDraft] = useState<HubDraft>(blank());
  useInterval(list.reload, list.items.some(isUnderWay) ? UNDER_WAY_MS : null);
  return (
    <>
      <Heading title={t('action.import_hub')} about={t('about.hub')} />
      {may('member') && <Form kind={kind} draft={draft} setDraft={setDraft} made={list.reload} />}
      <Card title={t('section.imports')}>
        <Notice problem={list.problem} again={list.reload} />
        <Imports imports={list.items} isLoading={list.isLoading}
          again={(request) => (setDraft(fromRequest(request)), document.getElementById(idOf('hub'))?.focus())} />
        <More pages={list} />
      </Card>
    </>
  );
}

interface Props {
  kind: ImportKind;
  draft: HubDraft;
  setDraft(draft: HubDraft): void;
  made(): void;
}

function Form({ kind, draft, setDraft, made }: Props) {
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  // A changed form is another import.
  const once = useMemo(onceKey, [draft]);
  const set = (change: Partial<HubDraft>): void => setDraft({ ...draft, ...change });
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setProblem(undefined);
    setBusy(true);
    try {
      await ask('post', '/api/v1/imports', { body: toRequest(kind, draft), once });
      setDraft(blank());
      made();
    } catch (error) {
      setProblem(asProblem(error));
    }
    setBusy(false);
  };
  return (
    <FormContext.Provider value={refusedWith(problem)}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Card>
          <div class="fields">
            <Text name="hub" label={t('hub.repository')} value={draft.hub} isRequired isWide hint={t('hint.hub_repository')} placeholder={kind === 'model' ? 'HuggingFaceTB/SmolLM2-135M-Instruct' : 'openai/gsm8k'} onChange={(hub) => set({ hub })} />
            <Text name="revision" label={t('hub.revision')} value={draft.revision} placeholder="main" hint={t('hint.hub_revision')} onChange={(revision) => set({ revision })} />
            <Text name="name" label={t('field.name')} value={draft.name} placeholder={draft.hub.split('/').pop()} onChange={(name) => set({ name })} />
            {kind === 'dataset' && <Text name="config" label={t('hub.config')} value={draft.config} hint={t('hint.hub_config')} onChange={(config) => set({ config })} />}
            {kind === 'dataset' && <RowFields draft={draft} set={set} kind="dataset_kind" split={t('hint.hub_split')} />}
            {isOperator() && <Check name="builtin" label={t('dataset.builtin')} value={draft.builtin} hint={t(kind === 'dataset' ? 'hint.dataset_builtin' : 'hint.import_source')} onChange={(builtin) => set({ builtin })} />}
            <Area name="files" label={t('section.files')} value={draft.files} isWide hint={t(`hint.hub_files.${kind}`)} onChange={(files) => set({ files })} />
          </div>
        </Card>
        <Notice problem={problem} />
        <button type="submit" class="primary large" disabled={isBusy || draft.hub.trim() === ''}>{t('action.import_hub')}</button>
      </form>
    </FormContext.Provider>
  );
}

// Uploading a dataset, or another version of one: sent as a stream with its progress, every row checked by the API, and wrong
// rows named by their lines.
import { useRef, useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import { address, ask, onceKey } from '../../api/client';
import { useLoad } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { isOperator } from '../../api/session';
import { upload } from '../../api/transfer';
import type { Dataset } from '../../api/types';
import { Check, Field, FormContext, refusedWith, Text } from '../../components/Field';
import { Card, Heading } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { Progress } from '../../components/Progress';
import { blankRows } from '../../forms/rows';
import * as format from '../../format';
import { locale, t } from '../../i18n';
import { useQuery } from '../create/clone';
import { RowErrors } from './RowErrors';
import { RowFields } from './RowFields';

/** A name from a file's: without folders and endings. */
const nameOf = (file: File): string => file.name.replace(/\.(jsonl|json|csv|tsv|parquet|arrow|txt|zip|gz|zst)(\.\w+)?$/i, '');

export function UploadDataset() {
  const [, go] = useLocation();
  const to = useQuery('to');
  const known = useLoad(async () => (to ? await ask('get', '/api/v1/datasets/{id}', { path: { id: to } }) : null), [to]);
  const [file, setFile] = useState<File | null>(null);
  const [form, setForm] = useState({ ...blankRows(), name: '', builtin: false });
  const [sent, setSent] = useState<number | null>(null);
  const [problem, setProblem] = useState<Problem>();
  const end = useRef<AbortController | null>(null);
  const set = (change: Partial<typeof form>): void => setForm((old) => ({ ...old, ...change }));
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!file) return;
    setProblem(undefined);
    setSent(0);
    end.current = new AbortController();
    const query = {
      name: to ? undefined : form.name || nameOf(file), kind: form.kind, format: form.format, filename: file.name,
      skip_invalid: form.skip || undefined, dataset: to || undefined, split: form.split, builtin: (!to && form.builtin) || undefined,
    };
    try {
      const made = (await upload('POST', address('/api/v1/datasets', {}, query), file, onceKey(), setSent, end.current.signal)) as Dataset;
      go(`/datasets/${made.id}`);
    } catch (error) {
      if (!(error instanceof DOMException)) setProblem(asProblem(error));
      setSent(null);
    }
  };
  const rows = problem?.errors.filter((error) => error.line != null) ?? [];
  return (
    <FormContext.Provider value={refusedWith(problem)}>
      <Heading title={to ? t('dataset.new_version', { name: known.data?.name ?? '' }) : t('action.upload')} about={t('about.upload')} />
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Card>
          <div class="fields">
            <Drop file={file} onFile={setFile} />
            {!to && <Text name="name" label={t('field.name')} value={form.name} placeholder={file ? nameOf(file) : ''} onChange={(name) => set({ name })} />}
            <RowFields draft={form} set={set} kind="kind" split={t('hint.dataset_split')} />
            {!to && isOperator() && <Check name="builtin" label={t('dataset.builtin')} value={form.builtin} hint={t('hint.dataset_builtin')} onChange={(builtin) => set({ builtin })} />}
          </div>
        </Card>
        {sent !== null && file && <Sending sent={sent} whole={file.size} cancel={() => end.current?.abort()} />}
        <Notice problem={problem} />
        {rows.length > 0 && <RowErrors errors={rows} count={problem?.invalidCount ?? rows.length} />}
        <button type="submit" class="primary large" disabled={!file || sent !== null}>{t('action.upload')}</button>
      </form>
    </FormContext.Provider>
  );
}

/** A file, chosen or dropped. */
function Drop({ file, onFile }: { file: File | null; onFile(file: File | null): void }) {
  const [isOver, setOver] = useState(false);
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    onFile(event.dataTransfer?.files[0] ?? null);
  };
  return (
    <Field name="file" label={t('label.file')} hint={t('hint.file')} isWide>
      {(wiring) => (
        <div class={`drop ${isOver ? 'over' : ''}`} onDragOver={(event) => (event.preventDefault(), setOver(true))} onDragLeave={() => setOver(false)} onDrop={drop}>
          <input {...wiring} type="file" onChange={(event) => onFile(event.currentTarget.files?.[0] ?? null)} />
          {file && <strong>{file.name} · {format.bytes(file.size, locale.value)}</strong>}
        </div>
      )}
    </Field>
  );
}

export function Sending({ sent, whole, cancel }: { sent: number; whole: number; cancel(): void }) {
  const isSent = sent >= whole;
  return (
    <div class="now" role="status">
      <strong>{isSent ? t('upload.checking') : t('upload.sending')}</strong>
      <Progress percent={whole > 0 ? (sent / whole) * 100 : 100} label={t('upload.sending')} tone="live" />
      <span class="number">{format.bytes(Math.min(sent, whole), locale.value)} / {format.bytes(whole, locale.value)}</span>
      <button type="button" class="small" onClick={cancel}>{t('verb.cancel')}</button>
    </div>
  );
}

// Importing a model: a GGUF file, or the files of a Hugging Face folder, sent one after the other and checked by the API.
import { useRef, useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import { asProblem, type Problem } from '../../api/problem';
import { isOperator } from '../../api/session';
import { importModel } from '../../api/transfer';
import { Field, FormContext, refusedWith, Text } from '../../components/Field';
import { Card, Heading } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { Segments } from '../../components/Segments';
import * as format from '../../format';
import { locale, t, word } from '../../i18n';
import { Sending } from './UploadDataset';

interface Sent {
  path: string;
  file: File;
}

/** The chosen files under their paths inside the chosen folder; hidden files stay behind. */
function filesOf(list: FileList | null): Sent[] {
  return [...(list ?? [])]
    .map((file) => ({ file, path: file.webkitRelativePath.split('/').slice(1).join('/') || file.name }))
    .filter(({ path }) => !path.split('/').some((part) => part.startsWith('.')));
}

export function ImportModel() {
  const [, go] = useLocation();
  const [name, setName] = useState('');
  const [source, setSource] = useState<'imported' | 'builtin'>('imported');
  const [isFolder, setFolder] = useState(false);
  const [files, setFiles] = useState<Sent[]>([]);
  const [sent, setSent] = useState<number | null>(null);
  const [problem, setProblem] = useState<Problem>();
  const end = useRef<AbortController | null>(null);
  const whole = files.reduce((sum, { file }) => sum + file.size, 0);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setProblem(undefined);
    setSent(0);
    end.current = new AbortController();
    try {
      const id = await importModel(name || (files[0]?.file.name ?? ''), source, files, setSent, end.current.signal);
      go(`/models/${id}`);
    } catch (error) {
      if (!(error instanceof DOMException)) setProblem(asProblem(error));
      setSent(null);
    }
  };
  return (
    <FormContext.Provider value={refusedWith(problem)}>
      <Heading title={t('action.import')} about={t('about.import')} />
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Card>
          <div class="fields">
            <Segments name="what" label={t('import.what')} value={isFolder ? 'folder' : 'file'} isWide onChange={(value) => (setFolder(value === 'folder'), setFiles([]))}
              choices={[{ value: 'file', name: t('import.file') }, { value: 'folder', name: t('import.folder') }]} />
            <Segments name="source" label={t('model.origin')} value={source} hint={t('hint.import_source')} isWide onChange={(value) => setSource(value as 'imported')}
              choices={['imported', 'builtin'].map((value) => ({ value, name: word('origin', value), isDisabled: value === 'builtin' && !isOperator() }))} />
            <Field name="files" label={t('label.file')} isWide>
              {(wiring) => <input key={String(isFolder)} {...wiring} type="file" multiple={isFolder} {...(isFolder ? { webkitdirectory: true } : { accept: '.gguf' })} onChange={(event) => setFiles(filesOf(event.currentTarget.files))} />}
            </Field>
            <Text name="name" label={t('field.name')} value={name} placeholder={files[0]?.file.name.replace(/\.gguf$/, '')} onChange={setName} />
          </div>
          {files.length > 0 && <p class="dim">{t('count.files', { n: files.length })} · {format.bytes(whole, locale.value)}</p>}
          {isFolder && files.length > 0 && <ul class="dim files">{files.map(({ path, file }) => <li key={path}><code>{path}</code> {format.bytes(file.size, locale.value)}</li>)}</ul>}
        </Card>
        {sent !== null && <Sending sent={sent} whole={whole} cancel={() => end.current?.abort()} />}
        <Notice problem={problem} />
        {problem && problem.errors.length > 0 && <ul class="notice bad">{problem.errors.map((error, place) => <li key={place}><code>{error.field}</code> {error.message}</li>)}</ul>}
        <button type="submit" class="primary large" disabled={files.length === 0 || sent !== null}>{t('action.import')}</button>
      </form>
    </FormContext.Provider>
  );
}

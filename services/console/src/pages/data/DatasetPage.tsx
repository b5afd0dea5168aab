// One dataset: its figures, its files, its versions, its first rows, and the rows that were left out.
import { useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { address, ask } from '../../api/client';
import { useLoad } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { may } from '../../api/session';
import { fileName, saveLinked, saveStreamed } from '../../api/transfer';
import type { Dataset, ProblemPlace } from '../../api/types';
import { Bytes, Count, Id, Time } from '../../components/Figures';
import { confirm } from '../../components/Dialog';
import { Busy, Card, Facts, Heading } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import * as format from '../../format';
import { t, word } from '../../i18n';
import { Preview } from './Preview';
import { RowErrors } from './RowErrors';

export function DatasetPage({ id }: { id: string }) {
  const [, go] = useLocation();
  const [version, setVersion] = useState<number | undefined>();
  const path = { id };
  const found = useLoad<Dataset>(() => ask('get', '/api/v1/datasets/{id}', { path, query: { version } }), [id, version]);
  const versions = useLoad(async () => (await ask('get', '/api/v1/datasets/{id}/versions', { path, query: { limit: 100 } })).data, [id]);
  const [problem, setProblem] = useState<Problem>();
  if (!found.data) return found.problem ? <Notice problem={found.problem} again={found.reload} /> : <Busy />;
  const it = found.data;
  const save = (saving: Promise<void>): void => void saving.catch((error: unknown) => setProblem(asProblem(error)));
  const remove = (): void =>
    confirm({
      title: t('dataset.delete.title', { name: it.name }), body: <p>{t('dataset.delete.cost')}</p>, action: t('verb.delete'), isDangerous: true,
      run: () => ask('delete', '/api/v1/datasets/{id}', { path }).then(() => go('/datasets')),
    });
  const archive = address('/api/v1/datasets/{id}/archive', path, { version: it.version });
  return (
    <>
      <p class="crumbs"><Link href="/datasets">{t('nav.datasets')}</Link></p>
      <Heading title={it.name} about={it.evidence}>
        <select aria-label={t('dataset.version')} value={it.version} onChange={(event) => setVersion(Number(event.currentTarget.value))}>
          {(versions.data ?? [it]).map((one) => <option key={one.version} value={one.version}>v{one.version}</option>)}
        </select>
        <button type="button" onClick={() => save(saveStreamed(archive, `${fileName(it.name)}-v${it.version}.zip`))}>{t('action.download_all')}</button>
        {may('member') && <Link class="button" href={`/datasets/new?to=${id}`}>{t('action.add_version')}</Link>}
        {may('member') && <button type="button" class="danger" onClick={remove}>{t('verb.delete')}</button>}
      </Heading>
      <Notice problem={problem ?? versions.problem} />
      <div class="columns">
        <Card title={t('section.statistics')}>
          <Facts rows={[
            [t('dataset.kind'), word('dataset_kind', it.kind)],
            [t('dataset.layout'), it.layout],
            [t('dataset.format'), it.format],
            [t('spec.rows'), <><Count value={it.rows} />{it.invalid_rows > 0 && ` (${t('dataset.left_out', { n: it.invalid_rows })})`}</>],
            [t('dataset.characters'), <Count value={it.statistics.characters} />],
            [t('dataset.mean'), format.figure(it.statistics.mean_row_characters)],
            [t('dataset.tokens'), <>≈ <Count value={it.statistics.tokens_by_four_characters} /> <small class="dim">{t('dataset.by_four')}</small></>],
            [t('label.size'), <Bytes value={it.size_bytes} />],
            [t('label.created'), <Time at={it.created_at} />],
            ['SHA-256', <code class="dim" title={it.sha256}>{it.sha256.slice(0, 24)}…</code>],
            ['ID', <Id id={it.id} />],
          ]} />
        </Card>
        <Card title={t('section.files')}>
          <table>
            <thead><tr><th>{t('label.file')}</th><th>{t('dataset.split')}</th><th class="right">{t('spec.rows')}</th><th class="right">{t('label.size')}</th><th /></tr></thead>
            <tbody>
              {it.files.map((file) => (
                <tr key={file.path}>
                  <td><code>{file.path}</code></td><td>{file.split ?? ''}</td><td class="right"><Count value={file.rows} /></td><td class="right"><Bytes value={file.size_bytes} /></td>
                  <td class="right"><button type="button" class="small" onClick={() => save(saveLinked(address('/api/v1/datasets/{id}/files/{path}', { id, path: file.path }, { version: it.version })))}>{t('action.download')}</button></td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
      </div>
      {it.errors.length > 0 && <RowErrors errors={it.errors.map(rowError)} count={it.invalid_rows} />}
      <Preview id={id} version={it.version} />
    </>
  );
}

/** A row error as the dataset keeps it, in the shape of a problem's. */
function rowError(kept: object): ProblemPlace {
  const error = kept as { line?: number; field?: string | null; reason?: string; file?: string | null };
  return { line: error.line, field: error.field, file: error.file, message: error.reason ?? '' };
}

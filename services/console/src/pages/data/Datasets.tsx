// The list of datasets that the workspace may use.
import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { ask } from '../../api/client';
import { usePages } from '../../api/load';
import { may } from '../../api/session';
import type { Dataset } from '../../api/types';
import { Bytes, Count, Time } from '../../components/Figures';
import { Busy, Empty, Heading, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { KINDS } from '../../forms/rows';
import { t, word } from '../../i18n';

export function Datasets() {
  const [kind, setKind] = useState('');
  const datasets = usePages<Dataset>((cursor) => ask('get', '/api/v1/datasets', { query: { kind: kind || undefined, limit: 50, cursor } }), [kind]);
  return (
    <>
      <Heading title={t('nav.datasets')} about={t('about.datasets')}>
        {may('member') && <Link class="button" href="/datasets/hub">{t('action.import_hub')}</Link>}
        {may('member') && <Link class="button primary" href="/datasets/new">{t('action.upload')}</Link>}
      </Heading>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <select aria-label={t('dataset.kind')} value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="">{t('filter.any_kind')}</option>
          {KINDS.map((one) => <option key={one} value={one}>{word('dataset_kind', one)}</option>)}
        </select>
      </form>
      <Notice problem={datasets.problem} again={datasets.reload} />
      {datasets.items.length > 0 ? <Table datasets={datasets.items} /> : datasets.isLoading ? <Busy /> : <Empty>{t('empty.datasets')}</Empty>}
      <More pages={datasets} />
    </>
  );
}

function Table({ datasets }: { datasets: readonly Dataset[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>{t('field.name')}</th><th>{t('dataset.kind')}</th><th>{t('dataset.format')}</th><th class="right">{t('spec.rows')}</th>
            <th class="right">{t('dataset.tokens')}</th><th class="right">{t('label.size')}</th><th class="right">{t('dataset.version')}</th><th>{t('label.created')}</th>
          </tr>
        </thead>
        <tbody>
          {datasets.map((one) => (
            <tr key={one.id}>
              <td class="main-cell"><Link href={`/datasets/${one.id}`}>{one.name}</Link>{one.builtin && <span class="badge quiet">{t('label.builtin')}</span>}</td>
              <td>{word('dataset_kind', one.kind)}</td>
              <td>{one.format}</td>
              <td class="right"><Count value={one.rows} />{one.invalid_rows > 0 && <small class="dim"> (−{one.invalid_rows})</small>}</td>
              <td class="right">≈ <Count value={one.statistics.tokens_by_four_characters} /></td>
              <td class="right"><Bytes value={one.size_bytes} /></td>
              <td class="right number">v{one.version}</td>
              <td class="when"><Time at={one.created_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// The list of models: built-in, imported, trained here, compiled here.
import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { ask } from '../../api/client';
import { usePages } from '../../api/load';
import { may } from '../../api/session';
import type { Model } from '../../api/types';
import { Bytes, Time } from '../../components/Figures';
import { Busy, Empty, Heading, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { ModelName } from '../../components/Reference';
import * as format from '../../format';
import { t, word } from '../../i18n';

type Origin = Model['source'];
const ORIGINS: readonly Origin[] = ['builtin', 'imported', 'trained', 'compiled'];

export function Models() {
  const [source, setSource] = useState<Origin | ''>('');
  const models = usePages<Model>((cursor) => ask('get', '/api/v1/models', { query: { source: source || undefined, limit: 50, cursor } }), [source]);
  return (
    <>
      <Heading title={t('nav.models')} about={t('about.models')}>
        {may('member') && <Link class="button" href="/models/hub">{t('action.import_hub')}</Link>}
        {may('member') && <Link class="button primary" href="/models/import">{t('action.import')}</Link>}
      </Heading>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <select aria-label={t('spec.model_source')} value={source} onChange={(event) => setSource(event.currentTarget.value as Origin | '')}>
          <option value="">{t('filter.any_origin')}</option>
          {ORIGINS.map((one) => <option key={one} value={one}>{word('origin', one)}</option>)}
        </select>
      </form>
      <Notice problem={models.problem} again={models.reload} />
      {models.items.length > 0 ? <Table models={models.items} /> : models.isLoading ? <Busy /> : <Empty>{t('empty.models')}</Empty>}
      <More pages={models} />
    </>
  );
}

function Table({ models }: { models: readonly Model[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>{t('field.name')}</th><th>{t('model.origin')}</th><th>{t('dataset.format')}</th><th>{t('model.architecture')}</th><th class="right">{t('model.parameters')}</th>
            <th class="right">{t('label.size')}</th><th>{t('model.base')}</th><th>{t('label.created')}</th><th><span class="unseen">{t('label.actions')}</span></th>
          </tr>
        </thead>
        <tbody>
          {models.map((one) => (
            <tr key={one.id}>
              <td class="main-cell"><Link href={`/models/${one.id}`}>{one.name}</Link>{one.state !== 'ready' && <span class="badge wait">{word('model_state', one.state)}</span>}</td>
              <td>{word('origin', one.source)}</td>
              <td>{one.format}</td>
              <td>{one.architecture ?? ''}</td>
              <td class="right number">{one.parameters == null ? '' : format.short(one.parameters)}</td>
              <td class="right"><Bytes value={one.size_bytes} /></td>
              <td>{one.base_model && <ModelName id={one.base_model} />}</td>
              <td class="when"><Time at={one.created_at} /></td>
              <td class="right">{one.format === 'onnx' && may('member') && <Link class="button small" href={`/deployments?model=${one.id}`}>{t('action.deploy')}</Link>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

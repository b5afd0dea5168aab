// One model: what it is, where it comes from, and what can be done with it.
import { useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { address, ask } from '../../api/client';
import { useLoad } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { may } from '../../api/session';
import { fileName, saveStreamed } from '../../api/transfer';
import type { Model } from '../../api/types';
import { confirm } from '../../components/Dialog';
import { Bytes, Count, Id, Time } from '../../components/Figures';
import { Busy, Card, Facts, Heading, type Row } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { ModelName, TaskName } from '../../components/Reference';
import * as format from '../../format';
import { lasting, t, word } from '../../i18n';
import { Lineage } from './Lineage';

export function ModelPage({ id }: { id: string }) {
  const [, go] = useLocation();
  const found = useLoad<Model>(() => ask('get', '/api/v1/models/{id}', { path: { id } }), [id]);
  const [problem, setProblem] = useState<Problem>();
  if (!found.data) return found.problem ? <Notice problem={found.problem} again={found.reload} /> : <Busy />;
  const it = found.data;
  const save = (): void => {
    saveStreamed(address('/api/v1/models/{id}/archive', { id }), `${fileName(it.name)}.zip`).catch((error: unknown) => setProblem(asProblem(error)));
  };
  const remove = (): void =>
    confirm({
      title: t('model.delete.title', { name: it.name }), body: <p>{t('model.delete.cost')}</p>, action: t('verb.delete'), isDangerous: true,
      run: () => ask('delete', '/api/v1/models/{id}', { path: { id } }).then(() => go('/models')),
    });
  const figures = Object.entries(it.figures as Record<string, unknown>).filter(([, value]) => typeof value === 'number' || typeof value === 'string');
  return (
    <>
      <p class="crumbs"><Link href="/models">{t('nav.models')}</Link></p>
      <Heading title={it.name} about={word('origin', it.source)}>
        {it.state === 'ready' && <button type="button" onClick={save}>{t('action.download_all')}</button>}
        {it.format === 'onnx' && may('member') && <Link class="button primary" href={`/deployments?model=${id}`}>{t('action.deploy')}</Link>}
        {may('member') && <button type="button" class="danger" onClick={remove}>{t('verb.delete')}</button>}
      </Heading>
      <Notice problem={problem} />
      <div class="columns">
        <div>
          <Card title={t('tab.parameters.model')}>
            <Facts rows={[
              [t('dataset.format'), it.format],
              [t('label.state'), word('model_state', it.state)],
              [t('model.architecture'), it.architecture ?? ''],
              [t('model.parameters'), it.parameters == null ? '' : <Count value={it.parameters} />],
              [t('model.context'), it.context_tokens == null ? '' : <Count value={it.context_tokens} />],
              [t('label.size'), <Bytes value={it.size_bytes} />],
              [t('model.base'), it.base_model ? <ModelName id={it.base_model} /> : ''],
              [t('model.made_by'), it.task ? <TaskName id={it.task} /> : ''],
              [t('label.created'), <Time at={it.created_at} />],
              ['ID', <Id id={it.id} />],
            ]} />
          </Card>
          {figures.length > 0 && <Card title={t('section.figures')}><Facts rows={figures.map(([name, value]): Row => [word('figure', name), figureOf(name, value)])} /></Card>}
        </div>
        <Card title={t('tab.lineage')}><Lineage model={id} /></Card>
      </div>
    </>
  );
}

export function figureOf(name: string, value: unknown) {
  if (typeof value !== 'number') return word('value', String(value));
  if (name.endsWith('_bytes')) return <Bytes value={value} />;
  if (name === 'seconds') return lasting(value);
  return <span class="number">{format.figure(value, 6)}</span>;
}

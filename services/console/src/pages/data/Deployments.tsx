// Compiled models that are served: the list, and the form that serves one more.
import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { ask, onceKey } from '../../api/client';
import { useInterval, useLoad, usePages, whole } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { may } from '../../api/session';
import type { Deployment, Model } from '../../api/types';
import { confirm } from '../../components/Dialog';
import { FormContext, refusedWith, Select, Text } from '../../components/Field';
import { Time } from '../../components/Figures';
import { Busy, Empty, Heading, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { ModelName } from '../../components/Reference';
import { t, word } from '../../i18n';
import { modelChoices } from '../create/choices';
import { useQuery } from '../create/clone';

const STARTING_MS = 2000;
const TONES: Record<string, string> = { ready: 'good', failed: 'bad', starting: 'wait' };

export function Deployments() {
  const list = usePages<Deployment>((cursor) => ask('get', '/api/v1/deployments', { query: { limit: 50, cursor } }), []);
  useInterval(list.reload, list.items.some((one) => one.state === 'starting') ? STARTING_MS : null);
  return (
    <>
      <Heading title={t('nav.deployments')} about={t('about.deployments')} />
      {may('member') && <Create made={list.reload} />}
      <Notice problem={list.problem} again={list.reload} />
      {list.items.length > 0 ? <Table deployments={list.items} reload={list.reload} /> : list.isLoading ? <Busy /> : <Empty>{t('empty.deployments')}</Empty>}
      <More pages={list} />
    </>
  );
}

function Create({ made }: { made: () => void }) {
  const wanted = useQuery('model');
  const models = useLoad(() => whole<Model>((cursor) => ask('get', '/api/v1/models', { query: { source: 'compiled', limit: 100, cursor } })), []);
  const [name, setName] = useState('');
  const [model, setModel] = useState(wanted);
  const [problem, setProblem] = useState<Problem>();
  const submit = (event: Event): void => {
    event.preventDefault();
    setProblem(undefined);
    ask('post', '/api/v1/deployments', { body: { name, model }, once: onceKey() }).then(
      () => (setName(''), made()),
      (error: unknown) => setProblem(asProblem(error)),
    );
  };
  return (
    <FormContext.Provider value={refusedWith(problem)}>
      <details class="card" open={wanted !== ''}>
        <summary><h2>{t('deployment.create')}</h2></summary>
        <form onSubmit={submit} noValidate>
          <div class="fields">
            <Select name="model" label={t('deployment.model')} value={model} placeholder={t('form.choose')} choices={modelChoices(models.data, () => true).map((one) => ({ ...one, group: undefined }))}
              hint={models.data?.length === 0 ? t('hint.no_compiled') : undefined} onChange={setModel} />
            <Text name="name" label={t('field.name')} value={name} hint={t('hint.deployment_name')} onChange={setName} />
          </div>
          <Notice problem={problem ?? models.problem} />
          <button type="submit" class="primary">{t('action.deploy')}</button>
        </form>
      </details>
    </FormContext.Provider>
  );
}

function Table({ deployments, reload }: { deployments: readonly Deployment[]; reload: () => void }) {
  const remove = (one: Deployment): void =>
    confirm({
      title: t('deployment.delete.title', { name: one.name }), body: <p>{t('deployment.delete.cost')}</p>, action: t('deployment.stop'), isDangerous: true,
      run: () => ask('delete', '/api/v1/deployments/{id}', { path: { id: one.id } }).then(reload),
    });
  return (
    <div class="scroll">
      <table>
        <thead><tr><th>{t('field.name')}</th><th>{t('label.state')}</th><th>{t('deployment.model')}</th><th>{t('label.created')}</th><th>{t('deployment.call')}</th><th><span class="unseen">{t('label.actions')}</span></th></tr></thead>
        <tbody>
          {deployments.map((one) => (
            <tr key={one.id}>
              <td class="main-cell"><strong>{one.name}</strong></td>
              <td><span class={`badge ${TONES[one.state] ?? 'quiet'}`}>{word('deployment_state', one.state)}</span>{one.failure && <small class="error"> {one.failure}</small>}</td>
              <td><ModelName id={one.model} /></td>
              <td class="when"><Time at={one.created_at} /></td>
              <td><code>POST {location.origin}/v1/chat/completions</code></td>
              <td>
                <div class="actions">
                  {one.state === 'ready' && <Link class="button small" href={`/chat?model=${encodeURIComponent(one.name)}`}>{t('nav.chat')}</Link>}
                  {may('member') && <button type="button" class="small danger" onClick={() => remove(one)}>{t('deployment.stop')}</button>}
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

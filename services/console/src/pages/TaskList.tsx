// The list of one kind of tasks: filters, pages, and what can be done with each. Kept fresh by the workspace's events, and
// while something runs by reading its progress.
import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { ask } from '../api/client';
import { useFacts } from '../api/facts';
import { useInterval, usePages } from '../api/load';
import { may } from '../api/session';
import type { Task, TaskKind, TaskState } from '../api/types';
import { Time } from '../components/Figures';
import { Busy, Empty, Heading, More } from '../components/Layout';
import { Notice } from '../components/Notice';
import { DatasetName, ModelName } from '../components/Reference';
import { State, TaskProgress } from '../components/State';
import { t, word, type Key } from '../i18n';
import { isMoving, STATES } from '../tasks/verbs';
import { TaskActions } from './task/TaskActions';

const PROGRESS_MS = 3000;

export function TaskList({ kind }: { kind: TaskKind }) {
  const [name, setName] = useState('');
  const [state, setState] = useState<TaskState | ''>('');
  const query = { kind, q: name.trim() || undefined, state: state || undefined, limit: 25 };
  const tasks = usePages<Task>((cursor) => ask('get', '/api/v1/tasks', { query: { ...query, cursor } }), [kind, name, state]);
  const isShown = (id: string): boolean => tasks.items.some((task) => task.id === id);
  useFacts((fact) => isShown(fact.task) || fact.event.event === 'queued', tasks.reload);
  useInterval(tasks.reload, tasks.items.some((task) => isMoving(task.state)) ? PROGRESS_MS : null);
  return (
    <>
      <Heading title={t(`nav.${kind}` as Key)} about={t(`about.${kind}` as Key)}>
        {kind === 'evaluation' && <Link class="button" href="/evaluation/leaderboard">{t('nav.leaderboard')}</Link>}
        {kind === 'evaluation' && <Link class="button" href="/evaluation/compare">{t('nav.compare')}</Link>}
        {may('member') && <Link class="button primary" href={`/${kind}/new`}>{t(`create.${kind}` as Key)}</Link>}
      </Heading>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <input type="search" placeholder={t('filter.name')} aria-label={t('filter.name')} value={name} onInput={(event) => setName(event.currentTarget.value)} />
        <select aria-label={t('filter.state')} value={state} onChange={(event) => setState(event.currentTarget.value as TaskState | '')}>
          <option value="">{t('filter.any_state')}</option>
          {STATES.map((one) => <option key={one} value={one}>{word('state', one)}</option>)}
        </select>
      </form>
      <Notice problem={tasks.problem} again={tasks.reload} />
      {tasks.items.length > 0 ? <Table kind={kind} tasks={tasks.items} reload={tasks.reload} /> : <Nothing isLoading={tasks.isLoading} isFiltered={name !== '' || state !== ''} kind={kind} />}
      <More pages={tasks} />
    </>
  );
}

function Nothing({ isLoading, isFiltered, kind }: { isLoading: boolean; isFiltered: boolean; kind: TaskKind }) {
  if (isLoading) return <Busy />;
  return <Empty>{isFiltered ? t('empty.filtered') : t(`empty.${kind}` as Key)}</Empty>;
}

function Table({ kind, tasks, reload }: { kind: TaskKind; tasks: readonly Task[]; reload: () => void }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>{t('field.name')}</th>
            <th>{t('label.state')}</th>
            <th>{t('label.progress')}</th>
            <th>{t(`list.how.${kind}` as Key)}</th>
            <th>{t('label.model')}</th>
            <th>{t(kind === 'compilation' ? 'label.result' : 'spec.dataset')}</th>
            <th>{t('label.created')}</th>
            <th><span class="unseen">{t('label.actions')}</span></th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.id}>
              <td class="main-cell">
                <Link href={`/${task.kind}/${task.id}`}>{task.name}</Link>
                {task.description && <small class="dim clip">{task.description}</small>}
              </td>
              <td><State task={task} /></td>
              <td><TaskProgress task={task} /></td>
              <td><How task={task} /></td>
              <td>{typeof task.spec.model === 'string' && <ModelName id={task.spec.model} />}</td>
              <td><Data task={task} /></td>
              <td class="when"><Time at={task.created_at} /></td>
              <td><TaskActions task={task} done={reload} gone={reload} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What kind of work it is, in a word or two. */
function How({ task: { spec } }: { task: Task }) {
  if (spec.kind === 'training') return <>{word('value', spec.task_type)} · {word('value', spec.method)}</>;
  if (spec.kind === 'evaluation') return <>{spec.datasets.map((one) => one.alias ?? one.benchmark).join(', ')}</>;
  return <>{word('value', spec.quantization)} · {word('value', spec.target ?? 'onnxruntime-cpu')}</>;
}

function Data({ task: { spec, model } }: { task: Task }) {
  if (spec.kind === 'training') return <DatasetName id={spec.dataset} />;
  if (spec.kind === 'compilation') return model ? <ModelName id={model} /> : <span class="dim">–</span>;
  const ids = [...new Set(spec.datasets.map((one) => one.dataset))];
  return <>{ids.map((id, place) => <span key={id}>{place > 0 && ', '}<DatasetName id={id} /></span>)}</>;
}

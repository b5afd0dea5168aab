// One task: its state and what can be done with it, and below it a tab for each thing that is known of it.
import { Link, useLocation } from 'wouter-preact';
import { ask } from '../../api/client';
import { useFacts } from '../../api/facts';
import { useInterval, useLoad } from '../../api/load';
import type { Task, TaskKind } from '../../api/types';
import { Id, Time } from '../../components/Figures';
import { Busy, Heading, Tabs } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { State, TaskProgress } from '../../components/State';
import * as format from '../../format';
import { lasting, t, word, type Key } from '../../i18n';
import { isMoving } from '../../tasks/verbs';
import { Samples } from '../evaluation/Samples';
import { Scores } from '../evaluation/Scores';
import { Lineage } from '../data/Lineage';
import { Artifacts } from './Artifacts';
import { BillTab } from './BillTab';
import { Curves } from './Curves';
import { Parameters } from './Parameters';
import { ProgressTab } from './ProgressTab';
import { TaskActions } from './TaskActions';

const PROGRESS_MS = 3000;

const TABS: Record<TaskKind, readonly string[]> = {
  training: ['parameters', 'progress', 'curves', 'artifacts', 'bill', 'lineage'],
  evaluation: ['parameters', 'progress', 'scores', 'samples', 'artifacts', 'bill', 'lineage'],
  compilation: ['parameters', 'progress', 'artifacts', 'bill', 'lineage'],
};

export function TaskPage({ kind, id, tab }: { kind: TaskKind; id: string; tab: string | undefined }) {
  const [, go] = useLocation();
  const task = useLoad<Task>(() => ask('get', '/api/v1/tasks/{id}', { path: { id } }), [id]);
  useFacts((fact) => fact.task === id, task.reload);
  useInterval(task.reload, task.data && isMoving(task.data.state) ? PROGRESS_MS : null);
  if (!task.data) return task.problem ? <Notice problem={task.problem} again={task.reload} /> : <Busy />;
  const now = tab ?? 'parameters';
  const tabs = TABS[task.data.kind].map((one) => ({ id: one, name: t((one === 'parameters' ? `tab.parameters.${kind}` : `tab.${one}`) as Key) }));
  return (
    <>
      <p class="crumbs"><Link href={`/${kind}`}>{t(`nav.${kind}` as Key)}</Link></p>
      <Heading title={task.data.name} about={task.data.description}>
        <TaskActions task={task.data} done={task.reload} gone={() => go(`/${kind}`)} />
      </Heading>
      <Summary task={task.data} />
      <Notice problem={task.problem} />
      <Tabs base={`/${kind}/${id}`} tabs={tabs} now={now} />
      <Tab task={task.data} tab={now} />
    </>
  );
}

function Tab({ task, tab }: { task: Task; tab: string }) {
  switch (tab) {
    case 'progress':
      return <ProgressTab task={task} />;
    case 'curves':
      return <Curves task={task} />;
    case 'artifacts':
      return <Artifacts task={task} />;
    case 'bill':
      return <BillTab task={task} />;
    case 'scores':
      return <Scores task={task} />;
    case 'samples':
      return <Samples task={task} />;
    case 'lineage':
      return <Lineage model={task.model ?? (typeof task.spec.model === 'string' ? task.spec.model : '')} />;
    default:
      return <Parameters task={task} />;
  }
}

/** The line of figures below the heading. */
function Summary({ task }: { task: Task }) {
  const began = task.started_at;
  const ended = task.finished_at ?? new Date().toISOString();
  const failure = task.failure as Record<string, unknown> | null | undefined;
  return (
    <>
      <div class="summary">
        <State task={task} />
        <TaskProgress task={task} />
        <span><small>{t('label.created')}</small> <Time at={task.created_at} /></span>
        {began && <span><small>{t('label.lasted')}</small> {lasting(format.secondsBetween(began, ended))}</span>}
        {task.epoch > 1 && <span><small>{t('label.attempt')}</small> {task.epoch}</span>}
        <Id id={task.id} />
      </div>
      {failure && (
        <div class="notice bad" role="alert">
          <strong>{word('failure', String(failure.code ?? failure.kind ?? 'failed'))}</strong>
          <p>{String(failure.message ?? failure.detail ?? JSON.stringify(failure))}</p>
        </div>
      )}
    </>
  );
}

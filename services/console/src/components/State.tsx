// The state of a task, or of anything else that has one, as a badge.
import type { Task } from '../api/types';
import { lasting, t, word } from '../i18n';
import { isLeased, toneOf } from '../tasks/verbs';
import { Progress } from './Progress';

export function State({ task }: { task: Pick<Task, 'state'> }) {
  return <span class={`badge ${toneOf(task.state)}`}>{word('state', task.state)}</span>;
}

/** How far a task is: its bar while it runs, the time it will take yet. */
export function TaskProgress({ task }: { task: Task }) {
  const { progress, state, name } = task;
  if (state === 'succeeded') return <Progress percent={100} label={name} tone="good" />;
  if (!progress) return <span class="dim">–</span>;
  return (
    <span class="told">
      <Progress percent={progress.percent} label={name} tone={isLeased(state) ? 'live' : ''} />
      {isLeased(state) && (
        <small class="dim">
          {word('stage', progress.stage)}
          {progress.eta_seconds != null && ` · ${t('label.eta', { time: lasting(progress.eta_seconds) })}`}
        </small>
      )}
    </span>
  );
}

// Asking something of a task: each verb says first what it costs, and what can be undone.
import { ask } from '../../api/client';
import type { Task } from '../../api/types';
import { confirm } from '../../components/Dialog';
import { t, type Key } from '../../i18n';
import type { TaskVerb } from '../../tasks/verbs';

const DANGEROUS: readonly TaskVerb[] = ['stop', 'cancel', 'delete'];

function send(task: Task, verb: TaskVerb): Promise<unknown> {
  const path = { id: task.id };
  switch (verb) {
    case 'pause':
      return ask('post', '/api/v1/tasks/{id}/pause', { path });
    case 'resume':
      return ask('post', '/api/v1/tasks/{id}/resume', { path });
    case 'stop':
      return ask('post', '/api/v1/tasks/{id}/stop', { path });
    case 'cancel':
      return ask('post', '/api/v1/tasks/{id}/cancel', { path });
    case 'delete':
      return ask('delete', '/api/v1/tasks/{id}', { path });
  }
}

/** Asks in a dialog, does it, and calls `done`. */
export function askOf(task: Task, verb: TaskVerb, done: () => void): void {
  confirm({
    title: t(`verb.${verb}.title` as Key, { name: task.name }),
    body: <p>{t(`verb.${verb}.cost` as Key)}</p>,
    action: t(`verb.${verb}` as Key),
    isDangerous: DANGEROUS.includes(verb),
    run: () => send(task, verb).then(done),
  });
}

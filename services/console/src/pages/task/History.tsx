// What happened to a task, fact by fact.
import { ask } from '../../api/client';
import { useFacts } from '../../api/facts';
import { useLoad } from '../../api/load';
import type { Fact, Task } from '../../api/types';
import { Time } from '../../components/Figures';
import { Card } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { word } from '../../i18n';
import { t } from '../../i18n';

/** What stages do is shown with the stages. */
const SHOWN_ELSEWHERE = ['stage_changed'];

export function History({ task }: { task: Task }) {
  const facts = useLoad(async () => (await ask('get', '/api/v1/tasks/{id}/events', { path: { id: task.id } })).data, [task.id]);
  useFacts((fact) => fact.task === task.id, facts.reload);
  const shown = facts.data?.filter((fact) => !SHOWN_ELSEWHERE.includes(String(fact.event.event))) ?? [];
  return (
    <Card title={t('section.history')}>
      <Notice problem={facts.problem} />
      <ol class="history">
        {shown.map((fact) => (
          <li key={fact.id}>
            <span>{about(fact)}</span>
            <small class="dim"><Time at={fact.time} /></small>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function about({ event }: Fact): string {
  const name = word('fact', String(event.event));
  if (event.event === 'verb_requested') return `${name}: ${word('verb', String(event.verb))}`;
  if (event.event === 'finished') return word('state', String(event.state));
  if (event.event === 'checkpoint_committed') return `${name}: ${t('label.step', { n: Number(event.step ?? 0) })}`;
  return name;
}

// Two evaluations held against each other: what changed, whether it is more than chance, and why the two may differ.
import { useLocation } from 'wouter-preact';
import { ask } from '../../api/client';
import { useLoad, whole } from '../../api/load';
import type { Cause, ComparedEvaluations, Task } from '../../api/types';
import { Busy, Card, Empty, Heading } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { ModelName, TaskName } from '../../components/Reference';
import { t } from '../../i18n';
import { useQuery } from '../create/clone';
import { ComparedTask, MetricRows } from './ComparedTask';

export function Compare() {
  const [, go] = useLocation();
  const a = useQuery('a');
  const b = useQuery('b');
  const tasks = useLoad(
    () => whole<Task>((cursor) => ask('get', '/api/v1/tasks', { query: { kind: 'evaluation', state: 'succeeded', limit: 100, cursor } }), 300),
    [],
  );
  const choose = (one: string, other: string): void => go(`/evaluation/compare?a=${one}&b=${other}`);
  const options = (tasks.data ?? []).map((task) => <option key={task.id} value={task.id}>{task.name} · {task.created_at.slice(0, 16).replace('T', ' ')}</option>);
  return (
    <>
      <Heading title={t('nav.compare')} about={t('about.compare')} />
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <label class="inline">A <select key={options.length} value={a} onChange={(event) => choose(event.currentTarget.value, b)}><option value="">{t('form.choose')}</option>{options}</select></label>
        <label class="inline">B <select key={options.length} value={b} onChange={(event) => choose(a, event.currentTarget.value)}><option value="">{t('form.choose')}</option>{options}</select></label>
        <button type="button" class="small" disabled={!a || !b} onClick={() => choose(b, a)}>⇄ {t('action.swap')}</button>
      </form>
      <Notice problem={tasks.problem} again={tasks.reload} />
      {a && b ? <Compared a={a} b={b} /> : <Empty>{t('empty.compare')}</Empty>}
    </>
  );
}

function Compared({ a, b }: { a: string; b: string }) {
  const compared = useLoad<ComparedEvaluations>(() => ask('get', '/api/v1/tasks/{id}/comparison', { path: { id: a }, query: { with: b } }), [a, b]);
  if (!compared.data) return compared.problem ? <Notice problem={compared.problem} again={compared.reload} /> : <Busy />;
  const it = compared.data;
  return (
    <>
      <div class="columns">
        {([['A', it.a], ['B', it.b]] as const).map(([letter, one]) => (
          <Card key={letter} title={letter}>
            <p><TaskName id={one.id} kind="evaluation" name={one.name} /></p>
            <p class="dim">{t('label.model')}: <ModelName id={one.model} /></p>
          </Card>
        ))}
      </div>
      {it.causes.length > 0 && <Card title={t('compare.causes')}><Causes causes={it.causes} /></Card>}
      {Object.entries(it.groups ?? {}).map(([name, metrics]) => <Card key={name} title={t('compare.group', { name })}><MetricRows metrics={metrics} a={a} b={b} benchmark={name} /></Card>)}
      {Object.entries(it.tasks).map(([name, task]) => <ComparedTask key={name} name={name} task={task} a={a} b={b} />)}
      {it.only_in_a.length > 0 && <p class="dim">{t('compare.only', { one: 'A', names: it.only_in_a.join(', ') })}</p>}
      {it.only_in_b.length > 0 && <p class="dim">{t('compare.only', { one: 'B', names: it.only_in_b.join(', ') })}</p>}
    </>
  );
}

const told = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text == null ? '–' : text.length > 48 ? `${text.slice(0, 45)}…` : text;
};

export function Causes({ causes }: { causes: readonly Cause[] }) {
  return (
    <table>
      <thead><tr><th>{t('compare.what')}</th><th>A</th><th>B</th><th>{t('compare.meaning')}</th></tr></thead>
      <tbody>
        {causes.map((cause) => (
          <tr key={cause.what}><td><code>{cause.what}</code></td><td><code>{told(cause.a)}</code></td><td><code>{told(cause.b)}</code></td><td>{cause.explanation}</td></tr>
        ))}
      </tbody>
    </table>
  );
}

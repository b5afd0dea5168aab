// One task of both evaluations: its metrics paired sample by sample.
import { Link } from 'wouter-preact';
import type { MetricComparison, TaskComparison } from '../../api/types';
import { Card } from '../../components/Layout';
import * as format from '../../format';
import { t } from '../../i18n';
import { Causes } from './Compare';

interface Sides {
  a: string;
  b: string;
}

export function ComparedTask({ name, task, a, b }: { name: string; task: TaskComparison } & Sides) {
  const about = t('compare.samples', { n: task.samples, same: task.same_prompt, other: task.other_answer });
  return (
    <Card title={name} aside={<small class="dim">{about}</small>}>
      <MetricRows metrics={task.metrics} a={a} b={b} benchmark={name} />
      {task.causes.length > 0 && <><h3>{t('compare.causes')}</h3><Causes causes={task.causes} /></>}
    </Card>
  );
}

/** A difference is told from chance where its interval leaves zero out. */
function toneOf({ interval, difference }: MetricComparison): string {
  if (!interval || (interval.low <= 0 && interval.high >= 0)) return 'quiet';
  return difference > 0 ? 'live' : 'wait';
}

const signed = (value: number): string => `${value > 0 ? '+' : ''}${format.figure(value)}`;

export function MetricRows({ metrics, a, b, benchmark }: { metrics: Record<string, MetricComparison>; benchmark: string } & Sides) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>{t('scores.metric')}</th><th class="right">A</th><th class="right">B</th><th class="right">B − A</th><th>{t('compare.interval')}</th>
            <th class="right">{t('compare.right_to_wrong')}</th><th class="right">{t('compare.wrong_to_right')}</th><th class="right">{t('compare.p')}</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(metrics).map(([metric, it]) => (
            <tr key={metric}>
              <td>{metric}</td>
              <td class="right number">{format.figure(it.a)}</td>
              <td class="right number">{format.figure(it.b)}</td>
              <td class="right number"><span class={`badge ${toneOf(it)}`}>{signed(it.difference)}</span></td>
              <td class="number">{it.interval ? `[${signed(it.interval.low)}, ${signed(it.interval.high)}]` : '–'} {it.interval && <small class="dim">{format.percent(it.interval.level * 100, 'en', 0)}</small>}</td>
              <td class="right number"><Flipped count={it.flips?.right_to_wrong.count} ids={it.flips?.right_to_wrong.ids} task={b} benchmark={benchmark} /></td>
              <td class="right number"><Flipped count={it.flips?.wrong_to_right.count} ids={it.flips?.wrong_to_right.ids} task={a} benchmark={benchmark} /></td>
              <td class="right number">{it.flips ? format.figure(it.flips.mcnemar_p) : '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** How many samples turned, leading to them; their numbers on hover. */
function Flipped({ count, ids, task, benchmark }: { count: number | undefined; ids: readonly number[] | null | undefined; task: string; benchmark: string }) {
  if (count === undefined) return <>–</>;
  if (count === 0) return <>0</>;
  return <Link href={`/evaluation/${task}/samples?benchmark=${encodeURIComponent(benchmark)}`} title={ids?.map((id) => `#${id}`).join(', ')}>{count}</Link>;
}

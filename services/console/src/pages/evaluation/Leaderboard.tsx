// Models by their latest score of a benchmark. Scores that were made with other settings stand in tables of their own.
import { useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import { ask } from '../../api/client';
import { usePages } from '../../api/load';
import type { Standing } from '../../api/types';
import { Time } from '../../components/Figures';
import { Busy, Card, Empty, Heading, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { ModelName, TaskName } from '../../components/Reference';
import * as format from '../../format';
import { t, word } from '../../i18n';
import { useBenchmarks } from '../create/choices';
import { useQuery } from '../create/clone';

export function Leaderboard() {
  const [, go] = useLocation();
  const name = useQuery('benchmark') || 'arc_easy';
  const [metric, setMetric] = useState('');
  const benchmarks = useBenchmarks();
  const standings = usePages<Standing>(
    (cursor) => ask('get', '/api/v1/benchmarks/{name}/leaderboard', { path: { name }, query: { metric: metric.trim() || undefined, limit: 50, cursor } }),
    [name, metric],
  );
  const groups = [...new Set(standings.items.map((one) => one.comparable))];
  return (
    <>
      <Heading title={t('nav.leaderboard')} about={t('about.leaderboard')} />
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <input type="search" list="benchmarks" aria-label={t('spec.benchmark')} value={name} onChange={(event) => go(`/evaluation/leaderboard?benchmark=${encodeURIComponent(event.currentTarget.value)}`)} />
        <datalist id="benchmarks">{benchmarks.data?.map((one) => <option key={one.name} value={one.name}>{one.description}</option>)}</datalist>
        <input type="search" placeholder={t('leaderboard.metric')} aria-label={t('leaderboard.metric')} value={metric} onChange={(event) => setMetric(event.currentTarget.value)} />
        <span class="dim">{benchmarks.data?.find((one) => one.name === name)?.description}</span>
      </form>
      <Notice problem={standings.problem ?? benchmarks.problem} />
      {standings.items.length === 0 && !standings.problem && (standings.isLoading ? <Busy /> : <Empty>{t('empty.leaderboard')}</Empty>)}
      {groups.map((group) => <Group key={group} standings={standings.items.filter((one) => one.comparable === group)} />)}
      <More pages={standings} />
    </>
  );
}

/** The settings that a group's scores share, as far as they say something. */
function settingsOf({ settings }: Standing): string {
  const told = Object.entries(settings).filter(([name, value]) => value != null && value !== false && name !== 'dataset');
  return told.map(([name, value]) => `${word('setting', name)} ${value === true ? '✓' : String(value).slice(0, 16)}`).join(' · ');
}

function Group({ standings }: { standings: readonly Standing[] }) {
  const first = standings[0];
  if (!first) return null;
  return (
    <Card title={first.metric} aside={<small class="dim">{settingsOf(first)}</small>}>
      <div class="scroll">
        <table>
          <thead><tr><th class="right">#</th><th>{t('label.model')}</th><th>{t('scores.value')}</th><th class="right">{t('scores.error')}</th><th class="right">{t('scores.samples')}</th><th>{t('nav.evaluation')}</th><th>{t('label.finished')}</th></tr></thead>
          <tbody>
            {standings.map((one) => (
              <tr key={one.task}>
                <td class="right number">{one.rank}</td>
                <td><ModelName id={one.model} /></td>
                <td><span class="score">{one.value >= 0 && one.value <= 1 && <meter min={0} max={1} value={one.value} aria-hidden="true" />}<span class="number">{format.figure(one.value)}</span></span></td>
                <td class="right number dim">{one.standard_error == null ? '' : `± ${format.figure(one.standard_error)}`}</td>
                <td class="right number">{one.samples ?? ''}</td>
                <td><TaskName id={one.task} kind="evaluation" name={one.task_name} /></td>
                <td class="when"><Time at={one.finished_at} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

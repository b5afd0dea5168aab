// The scores of a training's checkpoints and its measured values, as live curves. The measured ones lie in the event files
// among the artifacts too, for TensorBoard.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import type { Task } from '../../api/types';
import { Chart } from '../../components/Chart';
import { Card, Empty } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import * as format from '../../format';
import { t, word } from '../../i18n';
import { charts } from '../../tasks/curves';
import { awaited, isScore } from '../../tasks/scoreCurves';
import { isMoving } from '../../tasks/verbs';
import { ScoreCurves } from './ScoreCurves';
import { useCheckpointScores } from './useCheckpointScores';
import { type Series, useMetrics } from './useMetrics';

/** Series that grow by themselves: looked at as numbers, not as curves. */
const COUNTERS = ['epoch', 'num_tokens'];

export function Curves({ task }: { task: Task }) {
  const evaluations = useCheckpointScores(task);
  const metrics = useMetrics(task.id, isMoving(task.state) || evaluations.isLive);
  const list = evaluations.data ?? [];
  const late = metrics.isLoading ? [] : awaited(list.filter((one) => one.state === 'scored').map((one) => one.step), metrics.series);
  useEffect(() => {
    if (late.length > 0) metrics.readFrom(Math.min(...late));
  }, [late.join()]);
  return (
    <>
      <Notice problem={evaluations.problem} again={evaluations.reload} />
      <ScoreCurves task={task.id} evaluations={list} series={metrics.series} />
      <Measured task={task} metrics={metrics} />
    </>
  );
}

function Measured({ task, metrics }: { task: Task; metrics: Series }) {
  const { series, problem, isLoading } = metrics;
  const [smoothing, setSmoothing] = useState(0.6);
  const [isLog, setLog] = useState(false);
  const names = Object.keys(series).filter((name) => !COUNTERS.includes(name) && !isScore(name));
  const groups = useMemo(() => charts(names), [names.join()]);
  if (names.length === 0 && !isLoading) return <><Notice problem={problem} /><Empty>{t('empty.curves')}</Empty></>;
  return (
    <>
      <div class="filters">
        <label class="inline">
          {t('curves.smoothing')}
          <input type="range" min={0} max={0.98} step={0.02} value={smoothing} onInput={(event) => setSmoothing(Number(event.currentTarget.value))} />
          <span class="number">{smoothing.toFixed(2)}</span>
        </label>
        <label class="inline"><input type="checkbox" checked={isLog} onChange={(event) => setLog(event.currentTarget.checked)} /> {t('curves.log')}</label>
        <span class="dim">{t('curves.zoom')}</span>
        <span class="dim end">{t('curves.tensorboard')} <Link href={`/training/${task.id}/artifacts`}>{t('tab.artifacts')}</Link></span>
      </div>
      <Notice problem={problem} />
      <div class="charts">
        {groups.map((group) => {
          const curves = group.map((name) => ({ name, points: series[name] ?? [] }));
          const main = curves[0]?.points ?? [];
          return (
            <Card key={group.join()} title={word('metric', group[0] ?? '')} aside={<span class="number latest">{format.figure(main[main.length - 1]?.[1])}</span>}>
              <Chart curves={curves} weight={smoothing} isLog={isLog && main.every(([, value]) => value == null || value > 0)} sync={task.id} />
            </Card>
          );
        })}
      </div>
    </>
  );
}

// The scores of a training's checkpoints: a chart for each benchmark, and what became of each evaluation.
import type { CheckpointScore } from '../../api/types';
import { Chart } from '../../components/Chart';
import { Card } from '../../components/Layout';
import { TaskName } from '../../components/Reference';
import * as format from '../../format';
import { t, word } from '../../i18n';
import type { Points } from '../../tasks/curves';
import { scoreCharts } from '../../tasks/scoreCurves';

interface Props {
  task: string;
  evaluations: readonly CheckpointScore[];
  series: Readonly<Record<string, Points>>;
}

export function ScoreCurves({ task, evaluations, series }: Props) {
  const charts = scoreCharts(series);
  if (charts.length === 0 && evaluations.length === 0) return null;
  return (
    <div class="charts">
      {charts.map(({ benchmark, metrics }) => {
        const curves = metrics.map((metric) => ({ name: metric.name, points: series[metric.series] ?? [] }));
        const main = curves[0]?.points ?? [];
        const [only, ...others] = metrics;
        return (
          <Card key={metrics.map((metric) => metric.series).join()} title={others.length > 0 ? benchmark : `${benchmark} · ${only?.name}`} aside={<span class="number latest">{format.figure(main[main.length - 1]?.[1])}</span>}>
            <Chart curves={curves} weight={0} isLog={false} sync={task} />
          </Card>
        );
      })}
      {evaluations.length > 0 && <Card title={t('section.checkpoint_evaluations')}><Evaluations evaluations={evaluations} /></Card>}
    </div>
  );
}

const TONES: Record<CheckpointScore['state'], string> = { wanted: 'wait', made: 'live', scored: 'good', failed: 'bad', withdrawn: 'quiet' };

/** The latest step first. */
function Evaluations({ evaluations }: Pick<Props, 'evaluations'>) {
  return (
    <div class="scroll">
      <table>
        <tbody>
          {[...evaluations].reverse().map(({ step, state, evaluation, failure }) => (
            <tr key={step}>
              <td>{t('label.step', { n: step })}</td>
              <td><span class={`badge ${TONES[state]}`}>{word('score_state', state)}</span>{failure && <small class="error">{failure}</small>}</td>
              <td class="right">{evaluation && <TaskName id={evaluation} kind="evaluation" name={format.shortId(evaluation)} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

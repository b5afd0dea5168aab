// The scores that rules gave: for each dataset, and for each subject of it.
import { Link } from 'wouter-preact';
import { ask } from '../../api/client';
import { useLoad } from '../../api/load';
import type { Task } from '../../api/types';
import { Busy, Card, Empty } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import * as format from '../../format';
import { t } from '../../i18n';
import { isShare, type Score, type Scored, scoredOf } from '../../tasks/scores';
import { Leaks } from './Leaks';

export function Scores({ task }: { task: Task }) {
  const isDone = task.state === 'succeeded';
  const results = useLoad(
    async () => (isDone ? ask('get', '/api/v1/tasks/{id}/scores', { path: { id: task.id } }) : null),
    [task.id, isDone],
  );
  if (!isDone) return <Empty>{t('empty.scores')}</Empty>;
  if (!results.data) return results.problem ? <Notice problem={results.problem} again={results.reload} /> : <Busy />;
  const scored = scoredOf(results.data);
  return (
    <>
      <Leaks task={task} />
      <Card title={t('tab.scores')} aside={<Link class="button small" href={`/evaluation/compare?a=${task.id}`}>{t('action.compare')}</Link>}>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>{t('scores.what')}</th><th class="right">{t('spec.num_fewshot')}</th><th class="right">{t('scores.samples')}</th>
                <th>{t('scores.metric')}</th><th>{t('scores.value')}</th><th class="right">{t('scores.error')}</th><th />
              </tr>
            </thead>
            <tbody>{scored.map((one) => <Rows key={one.name} task={task} scored={one} />)}</tbody>
          </table>
        </div>
      </Card>
    </>
  );
}

function Rows({ task, scored }: { task: Task; scored: Scored }) {
  const samples = `/evaluation/${task.id}/samples?benchmark=${encodeURIComponent(scored.name)}`;
  return (
    <>
      {scored.scores.map((score, place) => (
        <tr key={`${score.metric} ${score.filter}`} class={place > 0 ? 'continued' : ''}>
          <td style={{ paddingInlineStart: `${0.6 + scored.depth * 1.2}rem` }}>{place === 0 && <strong>{scored.name}</strong>}</td>
          <td class="right number">{place === 0 && (scored.shots ?? '')}</td>
          <td class="right number">{place === 0 && (scored.samples ?? '')}</td>
          <td>{score.metric}{score.filter !== 'none' && <small class="dim"> {score.filter}</small>}{score.higherIsBetter === false && <small class="dim"> ↓</small>}</td>
          <td><Value score={score} /></td>
          <td class="right number dim">{score.standardError == null ? '' : `± ${format.figure(score.standardError)}`}</td>
          <td class="right">{place === 0 && <Link href={samples}>{t('action.samples')}</Link>}</td>
        </tr>
      ))}
    </>
  );
}

function Value({ score }: { score: Score }) {
  return (
    <span class="score">
      {isShare(score) && <meter min={0} max={1} value={score.value} aria-label={score.metric} />}
      <span class="number">{format.figure(score.value)}</span>
    </span>
  );
}

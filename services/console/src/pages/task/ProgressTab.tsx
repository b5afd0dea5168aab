// How far a task is: every stage of every attempt with its time and its log, the checkpoints, and what happened to it.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { useFacts } from '../../api/facts';
import { useInterval, useLoad } from '../../api/load';
import { saveLinked } from '../../api/transfer';
import type { Stage, Task } from '../../api/types';
import { Bytes, Time } from '../../components/Figures';
import { Card, Empty } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { Progress } from '../../components/Progress';
import * as format from '../../format';
import { lasting, t, word } from '../../i18n';
import { isMoving } from '../../tasks/verbs';
import { asProblem, type Problem } from '../../api/problem';
import { History } from './History';
import { LogView } from './LogView';

const STAGES_MS = 4000;

export function ProgressTab({ task }: { task: Task }) {
  const path = { id: task.id };
  const stages = useLoad(async () => (await ask('get', '/api/v1/tasks/{id}/stages', { path })).data, [task.id]);
  useFacts((fact) => fact.task === task.id, stages.reload);
  useInterval(stages.reload, isMoving(task.state) ? STAGES_MS : null);
  const [stage, setStage] = useState('');
  return (
    <>
      {task.progress && <Now task={task} />}
      <div class="columns wide-right">
        <div>
          <Card title={t('section.stages')}>
            <Notice problem={stages.problem} again={stages.reload} />
            {stages.data?.length === 0 && <Empty>{t('empty.stages')}</Empty>}
            <Stages stages={stages.data ?? []} chosen={stage} choose={setStage} />
          </Card>
          <Checkpoints task={task} />
          <History task={task} />
        </div>
        <LogView task={task} stage={stage} stages={[...new Set((stages.data ?? []).map((one) => one.name))]} choose={setStage} />
      </div>
    </>
  );
}

/** The stage that runs, in large. */
function Now({ task }: { task: Task }) {
  const { progress } = task;
  if (!progress) return null;
  return (
    <div class="now">
      <strong>{word('stage', progress.stage)}</strong>
      <Progress percent={progress.percent} label={task.name} tone={task.state === 'succeeded' ? 'good' : 'live'} />
      <span class="number">{progress.done} / {progress.total} {word('unit', progress.unit)}</span>
      {progress.eta_seconds != null && isMoving(task.state) && <span>{t('label.eta', { time: lasting(progress.eta_seconds) })}</span>}
    </div>
  );
}

function Stages({ stages, chosen, choose }: { stages: readonly Stage[]; chosen: string; choose(stage: string): void }) {
  const [problem, setProblem] = useState<Problem>();
  const save = (log: string): void => {
    saveLinked(log).catch((error: unknown) => setProblem(asProblem(error)));
  };
  const attempts = new Set(stages.map((stage) => stage.epoch));
  return (
    <ol class="stages">
      {stages.map((stage) => (
        <li key={`${stage.epoch} ${stage.started_at} ${stage.name}`} class={`stage ${stage.state}`}>
          <button type="button" class="link" aria-pressed={chosen === stage.name} onClick={() => choose(chosen === stage.name ? '' : stage.name)}>
            {word('stage', stage.name)}
          </button>
          {attempts.size > 1 && <small class="dim">{t('label.attempt')} {stage.epoch}</small>}
          <small class="dim">
            {stage.progress && `${stage.progress.done}/${stage.progress.total} ${word('unit', stage.progress.unit)} · `}
            {stage.finished_at ? lasting(format.secondsBetween(stage.started_at, stage.finished_at)) : t(`stage_state.${stage.state}`)}
          </small>
          {stage.log && <button type="button" class="small" title={t('action.download_log')} aria-label={t('action.download_log')} onClick={() => save(stage.log ?? '')}>↓ log</button>}
        </li>
      ))}
      <Notice problem={problem} />
    </ol>
  );
}

function Checkpoints({ task }: { task: Task }) {
  const found = useLoad(async () => (await ask('get', '/api/v1/tasks/{id}/checkpoints', { path: { id: task.id } })).data, [task.id]);
  useFacts((fact) => fact.task === task.id && fact.event.event === 'checkpoint_committed', found.reload);
  if (!found.data || found.data.length === 0) return null;
  return (
    <Card title={t('section.committed')}>
      <table>
        <tbody>
          {found.data.map((one) => (
            <tr key={one.id}>
              <td>{t('label.step', { n: one.step })} {one.best && <span class="badge good">{t('label.best')}</span>}</td>
              <td class="right"><Bytes value={one.size_bytes} /></td>
              <td class="right when"><Time at={one.created_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

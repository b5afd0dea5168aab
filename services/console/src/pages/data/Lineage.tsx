// Where a model comes from: itself, then what it stands on, each with the task that made it and the evaluations that scored it.
import { ask } from '../../api/client';
import { useLoad } from '../../api/load';
import type { Ancestor, TaskSpec } from '../../api/types';
import { Busy, Empty } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { DatasetName, ModelName, TaskName } from '../../components/Reference';
import { t, word } from '../../i18n';

export function Lineage({ model }: { model: string }) {
  const chain = useLoad(async () => (await ask('get', '/api/v1/models/{id}/lineage', { path: { id: model } })).data, [model]);
  if (!chain.data) return chain.problem ? <Notice problem={chain.problem} again={chain.reload} /> : <Busy />;
  if (chain.data.length === 0) return <Empty>{t('empty.lineage')}</Empty>;
  // The oldest first: one thing follows from another, downwards.
  return <ol class="lineage">{[...chain.data].reverse().map((one) => <Node key={one.id} model={one} />)}</ol>;
}

function Node({ model }: { model: Ancestor }) {
  const made = model.made_by;
  return (
    <li>
      {made && (
        <div class="node task">
          <small class="dim">{word('kind', made.kind)}</small> <TaskName id={made.id} kind={made.kind} name={made.name} />
          <Data spec={made.spec} />
          {' '}{made.from_task && <small class="dim">{t('lineage.after')} <TaskName id={made.from_task} /></small>}
        </div>
      )}
      <div class="node model">
        <small class="dim">{word('origin', model.source)}</small> <strong><ModelName id={model.id} /></strong> <span class="badge quiet">{model.format}</span>
      </div>
      {model.evaluations.map((one) => (
        <div key={one.id} class="node scored">
          <small class="dim">{t('lineage.scored')}</small> <TaskName id={one.id} kind="evaluation" name={one.name} /> <small class="dim">{word('state', one.state)}</small>
        </div>
      ))}
    </li>
  );
}

function Data({ spec }: { spec: TaskSpec }) {
  if (spec.kind === 'training') return <span> ← <DatasetName id={spec.dataset} /></span>;
  if (spec.kind === 'compilation' && spec.calibration) {
    return <span> ← {typeof spec.calibration === 'string' ? spec.calibration : <DatasetName id={spec.calibration.dataset} />}</span>;
  }
  return null;
}

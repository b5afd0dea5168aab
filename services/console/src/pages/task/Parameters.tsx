// What a task was asked to do, field by field, and what it found out on the way.
import type { ComponentChildren } from 'preact';
import type { EvaluationDataset, Task } from '../../api/types';
import { Card, Facts, type Row } from '../../components/Layout';
import { DatasetName, ModelName, TaskName } from '../../components/Reference';
import { fieldWord, t, word } from '../../i18n';
import { figureOf } from '../data/ModelPage';

export function Parameters({ task }: { task: Task }) {
  const { datasets, plain, nested } = parts(task.spec);
  const figures = Object.entries(task.figures as Record<string, unknown>).filter(([, value]) => typeof value === 'number' || typeof value === 'string');
  return (
    <div class="columns">
      <Card title={t('section.parameters')}><Facts rows={plain} /></Card>
      <div>
        {datasets.length > 0 && <Card title={t('spec.datasets')}><Entries datasets={datasets} /></Card>}
        {nested.map(([name, { datasets, plain }]) => (
          <Card key={name} title={word('section', name)}>
            {datasets.length > 0 && <Entries datasets={datasets} />}
            <Facts rows={plain} />
          </Card>
        ))}
        {figures.length > 0 && (
          <Card title={t('section.figures')}>
            <Facts rows={figures.map(([name, value]): Row => [word('figure', name), figureOf(name, value)])} />
          </Card>
        )}
      </div>
    </div>
  );
}

interface Parts {
  plain: Row[];
  nested: [string, Parts][];
  datasets: EvaluationDataset[];
}

/** The fields of a specification, those of its parts apart; or the fields of its part `at`. */
function parts(spec: object, at?: string): Parts {
  const found: Parts = { plain: [], nested: [], datasets: [] };
  for (const [name, value] of Object.entries(spec) as [string, unknown][]) {
    if (name === 'kind' || value == null) continue;
    const isPart = at === undefined && typeof value === 'object' && !Array.isArray(value) && name !== 'calibration';
    if (name === 'datasets') found.datasets = value as EvaluationDataset[];
    else if (isPart) found.nested.push([name, parts(value, name)]);
    else found.plain.push([fieldWord(at ? `${at}.${name}` : name), show(name, value)]);
  }
  return found;
}

function show(name: string, value: unknown): ComponentChildren {
  if (typeof value === 'boolean') return value ? t('value.yes') : t('value.no');
  if (typeof value === 'string' && value.startsWith('model-')) return <ModelName id={value} />;
  if (typeof value === 'string' && value.startsWith('ds-')) return <DatasetName id={value} />;
  if (typeof value === 'string' && value.startsWith('task-')) return <TaskName id={value} />;
  if (typeof value === 'string') return word(name === 'model_source' ? 'model_source' : 'value', value);
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value === 'object' && value !== null) {
    const inner = Object.values(value as object)[0] as unknown;
    return typeof inner === 'string' ? show(name, inner) : JSON.stringify(value);
  }
  return String(value);
}

function Entries({ datasets }: { datasets: readonly EvaluationDataset[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr><th>{t('spec.benchmark')}</th><th>{t('spec.rows')}</th><th class="right">{t('spec.num_fewshot')}</th><th class="right">{t('spec.limit')}</th></tr>
        </thead>
        <tbody>
          {datasets.map((one) => (
            <tr key={one.alias ?? one.benchmark}>
              <td>{one.alias ? `${one.alias} (${one.benchmark})` : one.benchmark}{one.task && <small class="dim"> {t('label.own_benchmark')}</small>}</td>
              <td><DatasetName id={one.dataset} /></td>
              <td class="right">{one.num_fewshot ?? t('form.default')}</td>
              <td class="right">{one.limit ?? t('form.all')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// What a creation form offers to choose from: the models and datasets that the workspace may use.
import { ask } from '../../api/client';
import { type Loaded, useLoad, whole } from '../../api/load';
import { know } from '../../api/names';
import type { Benchmark, Dataset, Model } from '../../api/types';
import type { Choice } from '../../components/Field';
import * as format from '../../format';
import { t, word } from '../../i18n';

export function useModels(): Loaded<Model[]> {
  return useLoad(async () => {
    const models = await whole<Model>((cursor) => ask('get', '/api/v1/models', { query: { limit: 100, cursor } }));
    know(models);
    return models;
  }, []);
}

export function useDatasets(): Loaded<Dataset[]> {
  return useLoad(async () => {
    const datasets = await whole<Dataset>((cursor) => ask('get', '/api/v1/datasets', { query: { limit: 100, cursor } }));
    know(datasets);
    return datasets;
  }, []);
}

export function useBenchmarks(): Loaded<Benchmark[]> {
  return useLoad(async () => (await ask('get', '/api/v1/benchmarks', {})).data, []);
}

/** Models as choices, grouped by where they come from. */
export function modelChoices(models: readonly Model[] | undefined, fits: (model: Model) => boolean): Choice[] {
  return (models ?? [])
    .filter((model) => model.state === 'ready' && fits(model))
    .map((model) => {
      const size = model.parameters == null ? '' : ` · ${format.short(model.parameters)}`;
      return { value: model.id, name: `${model.name}${size} · ${model.format}`, group: word('origin', model.source) };
    });
}

/** Datasets of some kinds as choices. */
export function datasetChoices(datasets: readonly Dataset[] | undefined, kinds: readonly string[]): Choice[] {
  return (datasets ?? [])
    .filter((dataset) => kinds.includes(dataset.kind))
    .map((dataset) => ({
      value: dataset.id,
      name: `${dataset.name} v${dataset.version} · ${t('count.rows', { n: dataset.rows })}`,
      group: kinds.length > 1 ? word('dataset_kind', dataset.kind) : undefined,
    }));
}

/** Where an evaluation or a compilation says that its model comes from: compiled models were trained here, imported ones were not. */
export const namedSource = (model: Model): 'builtin' | 'trained' =>
  model.source === 'builtin' || model.source === 'imported' ? 'builtin' : 'trained';

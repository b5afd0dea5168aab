// Names of models and datasets by their ids: each is asked for once, and shown where an id would say nothing.
import { signal } from '@preact/signals';
import { ask } from './client';

const names = signal<ReadonlyMap<string, string>>(new Map());
const asked = new Set<string>();

/** Remembers names that came with an answer. */
export function know(items: readonly { id: string; name: string }[]): void {
  if (items.every((item) => names.value.get(item.id) === item.name)) return;
  names.value = new Map([...names.value, ...items.map((item): [string, string] => [item.id, item.name])]);
}

export function forgetNames(): void {
  names.value = new Map();
  asked.clear();
}

/** The name, or nothing until it is known (or because it was deleted). */
export function nameOf(id: string): string | undefined {
  const known = names.value.get(id);
  if (known === undefined && !asked.has(id)) {
    asked.add(id);
    find(id).then((item) => know([item]), () => undefined);
  }
  return known;
}

function find(id: string): Promise<{ id: string; name: string }> {
  if (id.startsWith('model-')) return ask('get', '/api/v1/models/{id}', { path: { id } });
  if (id.startsWith('task-')) return ask('get', '/api/v1/tasks/{id}', { path: { id } });
  return ask('get', '/api/v1/datasets/{id}', { path: { id } });
}

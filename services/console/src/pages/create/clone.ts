// A form filled in from a task that is there.
import { useSearch } from 'wouter-preact';
import { ask } from '../../api/client';
import { type Loaded, useLoad } from '../../api/load';
import type { Form } from '../../api/types';

/** A part of the address's query. */
export function useQuery(name: string): string {
  return new URLSearchParams(useSearch()).get(name) ?? '';
}

/** The form of the task that the address names as `clone`, if it names one. */
export function useClone(): Loaded<Form | null> {
  const id = useQuery('clone');
  return useLoad(async () => (id ? await ask('post', '/api/v1/tasks/{id}/clone', { path: { id } }) : null), [id]);
}

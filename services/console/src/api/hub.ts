// Imports from a hub. The API's document has two schemas of the name `Target`, so that it says of an import's kind what holds
// of a compilation's runtime; here it is said right.
import { ask } from './client';
import type { components } from './schema';
import type { Page } from './types';

type Schemas = components['schemas'];

export type ImportKind = 'model' | 'dataset';
export type HubImport = Omit<Schemas['HubImport'], 'kind'> & { kind: ImportKind };
export type Import = Omit<Schemas['Import'], 'request'> & { request: HubImport };

export async function importFromHub(request: HubImport, once: string): Promise<Import> {
  return (await ask('post', '/api/v1/imports', { body: request as unknown as Schemas['HubImport'], once })) as unknown as Import;
}

export async function imports(cursor: string | undefined): Promise<Page<Import>> {
  return (await ask('get', '/api/v1/imports', { query: { limit: 50, cursor } })) as unknown as Page<Import>;
}

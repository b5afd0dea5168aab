// The form of an import from a hub, and how far an import is.
import { describe, expect, it } from 'vitest';
import type { Import } from '../src/api/types';
import { blank, fromRequest, isChecked, isUnderWay, toRequest } from '../src/forms/hub';

describe('an import', () => {
  const draft = { ...blank(), hub: ' openai/gsm8k ', revision: 'v1', config: 'main', split: 'test', kind: 'evaluation', format: 'parquet', skip: true };

  it('asks for what was filled in, and leaves the rest to the platform', () => {
    expect(toRequest('dataset', { ...blank(), hub: 'a/b' })).toEqual({ kind: 'dataset', hub: 'a/b', builtin: false, skip_invalid: false });
    expect(toRequest('dataset', draft)).toEqual({
      kind: 'dataset', hub: 'openai/gsm8k', revision: 'v1', config: 'main', split: 'test', dataset_kind: 'evaluation', format: 'parquet', skip_invalid: true, builtin: false,
    });
  });

  it('of a model says nothing of rows, which the API would refuse', () => {
    expect(toRequest('model', { ...draft, hub: 'a/b', name: ' mine ' })).toEqual({ kind: 'model', hub: 'a/b', revision: 'v1', name: 'mine', builtin: false });
  });

  it('takes the files that are named, one a line', () => {
    expect(toRequest('model', { ...blank(), hub: 'a/b', files: ' q4.gguf \n\nb/c.gguf\n' }).files).toEqual(['q4.gguf', 'b/c.gguf']);
    expect('files' in toRequest('model', { ...blank(), hub: 'a/b', files: ' \n' })).toBe(false);
  });

  it('that failed fills the form in as it was', () => {
    for (const request of [toRequest('dataset', draft), toRequest('dataset', { ...blank(), hub: 'a/b', files: 'x.csv\ny.csv', builtin: true })]) {
      expect(toRequest('dataset', fromRequest(request))).toEqual(request);
    }
  });

  it('is watched until it has ended, and is checked once everything has come', () => {
    const of = (state: string, done_bytes: number, total_bytes: number): Import => ({ id: '', request: toRequest('model', blank()), state, done_bytes, total_bytes, created_at: '' });
    expect(['waiting', 'running', 'done', 'failed'].map((state) => isUnderWay(of(state, 0, 0)))).toEqual([true, true, false, false]);
    expect([of('running', 0, 0), of('running', 5, 9), of('running', 9, 9), of('done', 9, 9)].map(isChecked)).toEqual([false, false, true, false]);
  });
});

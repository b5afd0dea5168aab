// Addresses of requests, the pauses of a stream that broke off, and what a piece of an answer says.
import { describe, expect, it } from 'vitest';
import { address, onceKey } from '../src/api/client';
import { pauseOf } from '../src/api/follow';
import { Problem } from '../src/api/problem';
import { fileName } from '../src/api/transfer';
import { read } from '../src/pages/chat/stream';

describe('addresses', () => {
  it('are filled in without letting a part become another path', () => {
    expect(address('/api/v1/tasks/{id}', { id: '../x?y#z' })).toBe('/api/v1/tasks/..%2Fx%3Fy%23z');
    expect(() => address('/api/v1/tasks/{id}', { id: '..' })).toThrow(Problem);
    expect(() => address('/a/{id}/files/{path}', { id: 'm', path: 'a/../../b' })).toThrow(Problem);
    expect(address('/a/{id}/files/{path}', { id: 'm', path: 'dir/a b.txt' })).toBe('/a/m/files/dir/a%20b.txt');
  });

  it('leave out what was not given, and escape what was', () => {
    expect(address('/a', {}, { q: 'x&y=z', state: undefined, kind: '', limit: 0, all: false })).toBe('/a?q=x%26y%3Dz&limit=0&all=false');
    expect(address('/a')).toBe('/a');
  });
});

describe('pauses', () => {
  it('grow to half a minute, and differ by chance', () => {
    expect([0, 1, 2].map((attempt) => pauseOf(attempt, 0))).toEqual([1000, 2000, 4000]);
    expect(pauseOf(50, 0)).toBe(30_000);
    expect(pauseOf(1, 1)).toBe(1000);
  });
});

describe('creations', () => {
  it('have keys of their own', () => {
    expect(onceKey()).toMatch(/^[0-9a-f]{32}$/);
    expect(onceKey()).not.toBe(onceKey());
  });
});

describe('pieces of an answer', () => {
  it('are text, an end, or a refusal', () => {
    expect(read('{"choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}')).toEqual({ text: 'Hi', ended: null });
    expect(read('{"choices":[{"delta":{},"finish_reason":"length"}]}')).toEqual({ text: '', ended: 'length' });
    expect(read('[DONE]')).toEqual({ text: '', ended: null });
    expect(() => read('{"error":{"message":"gone","code":"x"}}')).toThrow(Problem);
  });
});

describe('names of files', () => {
  it('have letters of any script and nothing that means a path', () => {
    expect(fileName('a/b\\c: 模型 "x"')).toBe('a_b_c_模型_x_');
  });
});

// What refusals become: problem JSON, OpenAI's errors, and what is neither.
import { describe, expect, it } from 'vitest';
import { asProblem, messagesOf, Problem, problemOf } from '../src/api/problem';

describe('a refusal', () => {
  it('keeps every wrong field of problem JSON', () => {
    const body = JSON.stringify({
      type: 'urn:anneal:problem:invalid', title: 'Unprocessable Entity', status: 422, detail: 'two fields are wrong',
      errors: [{ field: 'spec.lora.rank', message: 'must be 1 to 1024' }, { field: 'spec.split[1]', message: 'must be a whole number' }],
    });
    const problem = problemOf(422, '', body);
    expect([problem.title, problem.detail, problem.errors.length]).toEqual(['Unprocessable Entity', 'two fields are wrong', 2]);
    expect(messagesOf(problem.errors, 'spec.lora.rank')).toEqual(['must be 1 to 1024']);
    expect(messagesOf(problem.errors, 'spec.split')).toEqual(['must be a whole number']);
    expect(messagesOf(problem.errors, 'spec.lora')).toEqual([]);
  });

  it('keeps the lines of wrong rows, and how many there are', () => {
    const problem = problemOf(422, '', JSON.stringify({ title: 'x', detail: '', errors: [{ line: 3, field: null, message: 'not valid JSON' }], invalid_count: 9 }));
    expect(problem.errors[0]).toEqual({ line: 3, field: null, file: null, message: 'not valid JSON' });
    expect(problem.invalidCount).toBe(9);
  });

  it('is read from the errors of the OpenAI-compatible routes too', () => {
    const problem = problemOf(503, 'Service Unavailable', JSON.stringify({ error: { message: 'the deployment is starting', code: 'not_ready', type: 'server_error' } }));
    expect([problem.title, problem.detail, problem.type, problem.isPassing]).toEqual(['Service Unavailable', 'the deployment is starting', 'not_ready', true]);
  });

  it('is told by its status where it is no JSON, and never shows a page of markup', () => {
    const problem = problemOf(502, 'Bad Gateway', '<html><script>alert(1)</script></html>');
    expect([problem.title, problem.detail]).toEqual(['Bad Gateway', '']);
    expect(problemOf(500, 'x', 'null').errors).toEqual([]);
    expect(problemOf(500, 'x', '{"errors": [1, null], "detail": 7}').errors.map((error) => error.message)).toEqual([]);
  });

  it('that never came is a server that cannot be reached', () => {
    expect(asProblem(new TypeError('Failed to fetch')).status).toBe(0);
    const known = new Problem(404, 'Not Found', '');
    expect(asProblem(known)).toBe(known);
    expect(known.isPassing).toBe(false);
  });
});

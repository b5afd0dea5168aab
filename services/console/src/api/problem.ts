// What went wrong, in one shape: the API's problem JSON (RFC 9457), the refusals of the OpenAI-compatible routes, and a
// server that cannot be reached.
import type { ProblemPlace } from './types';

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly type = '',
    readonly errors: readonly ProblemPlace[] = [],
    readonly invalidCount: number | null = null,
  ) {
    super(detail || title);
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 502;
  }
}

/** The server did not answer at all. */
export function unreachable(): Problem {
  return new Problem(0, '', '');
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function place(value: unknown): ProblemPlace[] {
  if (typeof value !== 'object' || value === null) return [];
  const told = value as Record<string, unknown>;
  return [
    {
      message: text(told.message),
      field: text(told.field) || null,
      file: text(told.file) || null,
      line: typeof told.line === 'number' ? told.line : null,
    },
  ];
}

/** Reads the body of a refusal; what is no problem JSON is told by its status alone. */
export function problemOf(status: number, statusText: string, body: string): Problem {
  let told: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null) told = parsed as Record<string, unknown>;
  } catch {
    // A proxy's page, for example.
  }
  if (typeof told.error === 'object' && told.error !== null) {
    const error = told.error as Record<string, unknown>;
    return new Problem(status, statusText, text(error.message), text(error.code));
  }
  const errors = Array.isArray(told.errors) ? told.errors.flatMap(place) : [];
  const count = typeof told.invalid_count === 'number' ? told.invalid_count : null;
  return new Problem(status, text(told.title) || statusText, text(told.detail), text(told.type), errors, count);
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return error instanceof TypeError ? unreachable() : new Problem(0, '', String(error));
}

/** What is wrong with a field, or with a place inside it such as `spec.split[1]`. */
export function messagesOf(errors: readonly ProblemPlace[], field: string): string[] {
  const isInside = (name: string): boolean => name === field || name.startsWith(`${field}[`);
  return errors.filter((error) => error.field != null && isInside(error.field)).map((error) => error.message);
}

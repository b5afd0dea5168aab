// The one place that asks the API. Paths, parameters, bodies and answers are typed from its OpenAPI document.
import { asProblem, Problem, problemOf } from './problem';
import type { paths } from './schema';
import { key, signOut } from './session';

export type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete';

type Operation<P extends keyof paths, V extends Verb> = paths[P] extends Record<V, infer O extends object> ? O : never;

/** The paths that take a verb. */
export type Path<V extends Verb> = { [P in keyof paths]: Operation<P, V> extends never ? never : P }[keyof paths];

type Json<A> = A extends { content: { 'application/json': infer B } } ? B : unknown;
type Answer<O> = O extends { responses: infer R }
  ? R extends { 200: infer A }
    ? Json<A>
    : R extends { 201: infer A }
      ? Json<A>
      : R extends { 202: infer A }
        ? Json<A>
        : void
  : never;
type PathPart<O> = O extends { parameters: { path: infer P } } ? { path: P } : unknown;
type QueryPart<O> = O extends { parameters: { query?: infer Q } } ? { query?: Q } : unknown;
type BodyPart<O> = O extends { requestBody: { content: { 'application/json': infer B } } } ? { body: B } : unknown;

/** What a request says besides its path. */
export type Asked<P extends keyof paths, V extends Verb> = PathPart<Operation<P, V>> &
  QueryPart<Operation<P, V>> &
  BodyPart<Operation<P, V>> & { once?: string; signal?: AbortSignal };

interface AnyAsked {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  once?: string;
  signal?: AbortSignal;
}

/** One part of a path. Dots alone would make it another path, even escaped: no name of the platform's consists of them. */
function segment(text: string): string {
  if (text === '.' || text === '..') throw new Problem(404, 'Not Found', '');
  return encodeURIComponent(text);
}

/** Fills a path in. Only a file's `path` has parts of its own. */
export function address(path: string, parts: Record<string, unknown> = {}, query: Record<string, unknown> = {}): string {
  const filled = path.replace(/\{([a-z]+)\}/g, (_, name: string) => {
    const text = String(parts[name] ?? '');
    return name === 'path' ? text.split('/').map(segment).join('/') : segment(text);
  });
  const pairs = Object.entries(query).filter(([, value]) => value != null && value !== '');
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return search ? `${filled}?${search}` : filled;
}

/** Headers of a request of the signed-in user. */
export function headers(more: Record<string, string> = {}): Record<string, string> {
  return key.value ? { Authorization: `Bearer ${key.value}`, ...more } : more;
}

/** Asks, and throws a [`Problem`] for everything but success. A key that opens nothing any more signs out. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, referrerPolicy: 'no-referrer', credentials: 'omit' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw asProblem(error);
  }
  if (response.ok) return response;
  if (response.status === 401 && key.value) signOut();
  throw problemOf(response.status, response.statusText, await response.text().catch(() => ''));
}

export async function ask<V extends Verb, P extends Path<V>>(
  verb: V,
  path: P,
  asked: Asked<P, V>,
): Promise<Answer<Operation<P, V>>> {
  const { path: parts, query, body, once, signal } = asked as AnyAsked;
  const more: Record<string, string> = {};
  if (body !== undefined) more['Content-Type'] = 'application/json';
  if (once) more['Idempotency-Key'] = once;
  const response = await send(address(path as string, parts, query), {
    method: verb.toUpperCase(),
    headers: headers(more),
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as Answer<Operation<P, V>>;
}

/** A key for one creation: however often it is sent, it happens once. */
export function onceKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// Files on their way: uploads with progress, downloads by presigned link or as a stream.
import { address, ask, headers, send } from './client';
import { problemOf, unreachable, type Problem } from './problem';
import type { Link } from './types';

/** Sends a file as the body; nothing of it is held in memory. */
export function upload(
  verb: 'POST' | 'PUT',
  url: string,
  file: File,
  once: string | undefined,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject: (problem: Problem | DOMException) => void) => {
    const request = new XMLHttpRequest();
    request.open(verb, url);
    const more: Record<string, string> = { 'Content-Type': 'application/octet-stream' };
    if (once) more['Idempotency-Key'] = once;
    for (const [name, value] of Object.entries(headers(more))) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText || 'null'));
      else reject(problemOf(request.status, request.statusText, request.responseText));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

/** Saves a file that the API gives by presigned link; the browser fetches it by itself. */
export async function saveLinked(path: string): Promise<void> {
  const response = await send(`${path}${path.includes('?') ? '&' : '?'}redirect=false`, { headers: headers() });
  const { url } = (await response.json()) as Link;
  if (!/^https?:/.test(url)) throw unreachable();
  const link = document.createElement('a');
  link.href = url;
  link.rel = 'noreferrer';
  link.click();
}

export const artifactFile = (task: string, role: string, path: string): string =>
  address('/api/v1/tasks/{id}/artifacts/{role}/files/{path}', { id: task, role, path });

interface Picker {
  showSaveFilePicker?(options: { suggestedName: string }): Promise<{ createWritable(): Promise<WritableStream> }>;
}

/** Saves what the API itself streams: straight to the disk where the browser can, else by way of memory. */
export async function saveStreamed(path: string, name: string): Promise<void> {
  const picker = window as unknown as Picker;
  if (picker.showSaveFilePicker && window.isSecureContext) {
    const place = await picker.showSaveFilePicker({ suggestedName: name });
    const response = await send(path, { headers: headers() });
    await response.body?.pipeTo(await place.createWritable());
    return;
  }
  const response = await send(path, { headers: headers() });
  saveBlob(await response.blob(), name);
}

/** Saves what is in memory. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A name without characters that file systems dislike. */
export const fileName = (name: string): string => name.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 100);

/** Begins an import, sends its files, and completes it. */
export async function importModel(
  name: string,
  source: 'builtin' | 'imported',
  files: readonly { path: string; file: File }[],
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const made = await ask('post', '/api/v1/models', { body: { name, source }, signal });
  let before = 0;
  try {
    for (const { path, file } of files) {
      const url = address('/api/v1/models/{id}/files/{path}', { id: made.id, path });
      await upload('PUT', url, file, undefined, (bytes) => onSent(before + bytes), signal);
      before += file.size;
    }
    await ask('post', '/api/v1/models/{id}/complete', { path: { id: made.id }, signal });
  } catch (error) {
    // What was refused or broken off can be sent again from the beginning: nothing half-done stays.
    await ask('delete', '/api/v1/models/{id}', { path: { id: made.id } }).catch(() => undefined);
    throw error;
  }
  return made.id;
}

// Who is signed in: the API key and the workspace it opens. The key lies in this tab's storage, or in the browser's when it
// is to be remembered; it is never put into an address.
import { signal } from '@preact/signals';
import type { Workspace } from './types';

const NAME = 'anneal.key';

export const key = signal<string | null>(stored());
export const workspace = signal<Workspace | null>(null);

function stored(): string | null {
  try {
    return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

/** Keeps a key that the API has accepted. */
export function signIn(accepted: string, remember: boolean, of: Workspace): void {
  forget();
  try {
    (remember ? localStorage : sessionStorage).setItem(NAME, accepted);
  } catch {
    // A browser that stores nothing still works until the page is closed.
  }
  workspace.value = of;
  key.value = accepted;
}

export function signOut(): void {
  forget();
  key.value = null;
  workspace.value = null;
}

function forget(): void {
  try {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
  } catch {
    // Nothing was stored.
  }
}

const RANKS = { viewer: 0, member: 1, admin: 2 } as const;

/** Whether the key may do what needs this role; the API decides, this only keeps useless buttons away. */
export function may(role: keyof typeof RANKS): boolean {
  const own = workspace.value?.role;
  return own != null && RANKS[own] >= RANKS[role];
}

/** The workspace that a new platform begins with: its admins run the platform. */
const FIRST = `ws-${'1'.padStart(32, '0')}`;

export function isOperator(): boolean {
  return workspace.value?.id === FIRST && may('admin');
}

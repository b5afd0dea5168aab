// Postings as a workspace reads them: what came, what went, and between which of its pockets. Pure.
import type { Posting } from '../api/shapes';

/** The account without the workspace in front of it, such as `available`. */
export function pocket(account: string): string {
  return account.replace(/^ws-[0-9a-f]{32}\//, '');
}

/** What a posting changes of what the workspace can spend, in micro-credits: 0 where it moves what is held or spent. */
export function change(posting: Posting): number {
  if (pocket(posting.credit) === 'available') return posting.amount_microcredits;
  return pocket(posting.debit) === 'available' ? -posting.amount_microcredits : 0;
}

// Postings as a workspace reads them: what came, what went, and between which of its pockets. Pure.
import type { Posting } from '../api/types';

/** The account without the workspace in front of it, such as `available`. */
export function pocket(account: string): string {
  return account.replace(/^ws-[0-9a-f]{32}\//, '');
}

/** What a posting changes of what the workspace can spend, in micro-credits: 0 where it moves what is held or spent. */
export function change(posting: Posting, amount = posting.amount_microcredits): number {
  if (pocket(posting.credit) === 'available') return amount;
  return pocket(posting.debit) === 'available' ? -amount : 0;
}

/** Postings that follow each other and say the same, as one: a running task is charged every few seconds. */
export interface Run {
  first: Posting;
  last: Posting;
  count: number;
  amount: number;
}

const isSame = (a: Posting, b: Posting): boolean =>
  a.reason === b.reason && a.task === b.task && a.debit === b.debit && a.credit === b.credit;

export function runs(postings: readonly Posting[]): Run[] {
  const found: Run[] = [];
  for (const posting of postings) {
    const open = found[found.length - 1];
    if (open && isSame(open.last, posting)) {
      open.last = posting;
      open.count += 1;
      open.amount += posting.amount_microcredits;
    } else {
      found.push({ first: posting, last: posting, count: 1, amount: posting.amount_microcredits });
    }
  }
  return found;
}

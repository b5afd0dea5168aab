// What may be asked of a task in each state, as the platform's state machine has it. Pure.
import type { TaskState } from '../api/types';

export type TaskVerb = 'pause' | 'resume' | 'stop' | 'cancel' | 'delete';

const ENDED: readonly TaskState[] = ['succeeded', 'failed', 'stopped', 'cancelled'];
const LEASED: readonly TaskState[] = ['running', 'pausing', 'stopping', 'cancelling'];

export const STATES: readonly TaskState[] = [
  'queued', 'running', 'pausing', 'paused', 'stopping', 'cancelling', 'succeeded', 'failed', 'stopped', 'cancelled',
];

export const isEnded = (state: TaskState): boolean => ENDED.includes(state);
/** A worker holds it: figures come in. */
export const isLeased = (state: TaskState): boolean => LEASED.includes(state);
/** Its state may change without anybody asking. */
export const isMoving = (state: TaskState): boolean => state === 'queued' || isLeased(state);

/** The verbs that change something; the gentlest first. */
export function verbsOf(state: TaskState): readonly TaskVerb[] {
  switch (state) {
    case 'queued':
    case 'running':
      return ['pause', 'stop', 'cancel'];
    case 'pausing':
      return ['stop', 'cancel'];
    case 'paused':
      return ['resume', 'stop', 'cancel'];
    case 'stopping':
      return ['cancel'];
    case 'cancelling':
      return [];
    default:
      return ['delete'];
  }
}

/** The tone of a state's badge. */
export function toneOf(state: TaskState): 'good' | 'bad' | 'live' | 'wait' | 'quiet' {
  if (state === 'succeeded') return 'good';
  if (state === 'failed') return 'bad';
  if (state === 'running') return 'live';
  return state === 'stopped' || state === 'cancelled' ? 'quiet' : 'wait';
}

// The evaluations of a training's checkpoints, kept fresh until every one of them has ended.
import { ask } from '../../api/client';
import { useFacts } from '../../api/facts';
import { type Loaded, useInterval, useLoad } from '../../api/load';
import type { CheckpointScore, Task } from '../../api/types';
import { isMoving } from '../../tasks/verbs';

const STATES_MS = 4000;
/** What wants an evaluation, makes it, and ends it. */
const FACTS = ['checkpoint_committed', 'queued', 'finished'];

export interface CheckpointScores extends Loaded<CheckpointScore[]> {
  /** Whether more scores may come. */
  isLive: boolean;
}

export function useCheckpointScores({ id, spec, state }: Task): CheckpointScores {
  const isWanted = spec.kind === 'training' && spec.checkpoint_evaluation != null;
  const found = useLoad(
    async () => (isWanted ? (await ask('get', '/api/v1/tasks/{id}/checkpoint-evaluations', { path: { id } })).data : []),
    [id],
  );
  const isOpen = (one: CheckpointScore): boolean => one.state === 'wanted' || one.state === 'made';
  const isLive = isWanted && (isMoving(state) || (found.data ?? []).some(isOpen));
  useFacts((fact) => isWanted && FACTS.includes(String(fact.event.event)), found.reload);
  useInterval(found.reload, isLive ? STATES_MS : null);
  return { ...found, isLive };
}

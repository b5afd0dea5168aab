// What every creation form does: it keeps a draft, asks for its price as it changes (which also names every wrong field),
// and creates the task once.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ask, onceKey } from '../../api/client';
import { asProblem, type Problem } from '../../api/problem';
import type { CreateTask, ProblemPlace, Quote, Task, TaskSpec } from '../../api/types';
import type { FormState } from '../../components/Field';

const QUIET_MS = 500;

export interface Draft {
  quote: Quote | undefined;
  /** Anything that went wrong besides wrong fields. */
  problem: Problem | undefined;
  errors: readonly ProblemPlace[];
  isBusy: boolean;
  wasSubmitted: boolean;
  form: FormState;
  submit(): Promise<Task | undefined>;
}

interface Checked {
  quote?: Quote;
  problem?: Problem;
  isBusy: boolean;
}

/** Keeps checking what would be sent. */
export function useDraft(name: string, description: string, spec: TaskSpec): Draft {
  const body = useMemo<CreateTask>(() => ({ name, description, spec }), [name, description, JSON.stringify(spec)]);
  const [checked, setChecked] = useState<Checked>({ isBusy: true });
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [wasSubmitted, setSubmitted] = useState(false);
  const once = useRef('');
  useEffect(() => {
    // A changed form is another creation.
    once.current = onceKey();
    const end = new AbortController();
    const timer = setTimeout(() => {
      setChecked((old) => ({ ...old, isBusy: true }));
      ask('post', '/api/v1/tasks/quote', { body, signal: end.signal }).then(
        (quote) => setChecked({ quote, isBusy: false }),
        (error: unknown) => end.signal.aborted || setChecked({ problem: asProblem(error), isBusy: false }),
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [body]);
  const errors = checked.problem?.status === 422 ? checked.problem.errors : [];
  const form: FormState = {
    errors,
    isTouched: (field) => wasSubmitted || touched.has(field),
    touch: (field) => !touched.has(field) && setTouched(new Set([...touched, field])),
  };
  const submit = async (): Promise<Task | undefined> => {
    setSubmitted(true);
    setChecked((old) => ({ ...old, isBusy: true }));
    try {
      return await ask('post', '/api/v1/tasks', { body, once: once.current });
    } catch (error) {
      setChecked({ problem: asProblem(error), isBusy: false });
      return undefined;
    }
  };
  const problem = errors.length > 0 ? undefined : checked.problem;
  return { quote: checked.quote, problem, errors, isBusy: checked.isBusy, wasSubmitted, form, submit };
}

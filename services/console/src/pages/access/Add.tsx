// A small form in a card: its fields, its errors, and what comes of it.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { onceKey } from '../../api/client';
import { asProblem, type Problem } from '../../api/problem';
import { FormContext, refusedWith } from '../../components/Field';
import { Notice } from '../../components/Notice';

interface Props {
  action: string;
  run(once: string): Promise<unknown>;
  children: ComponentChildren;
}

export function Add({ action, run, children }: Props) {
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const submit = (event: Event): void => {
    event.preventDefault();
    setProblem(undefined);
    setBusy(true);
    run(onceKey()).then(
      () => setBusy(false),
      (error: unknown) => {
        setProblem(asProblem(error));
        setBusy(false);
      },
    );
  };
  return (
    <FormContext.Provider value={refusedWith(problem)}>
      <form class="line" onSubmit={submit} noValidate>
        {children}
        <button type="submit" class="primary" disabled={isBusy}>{action}</button>
      </form>
      <Notice problem={problem} />
    </FormContext.Provider>
  );
}

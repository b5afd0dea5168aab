// The one dialog of the page: asks before something is done that cannot be undone, or shows what is shown only once.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { asProblem, type Problem } from '../api/problem';
import { t } from '../i18n';
import { Notice } from './Notice';

export interface Question {
  title: string;
  body: ComponentChildren;
  /** The words on the button that does it; absent where there is nothing to do but read. */
  action?: string;
  isDangerous?: boolean;
  /** What is done; the dialog stays open and tells when it is refused. */
  run?(): Promise<unknown>;
}

const open = signal<Question | null>(null);
const state = signal<{ isBusy: boolean; problem?: Problem }>({ isBusy: false });

/** Asks; `run` is called when the answer is yes. */
export function confirm(question: Question): void {
  state.value = { isBusy: false };
  open.value = question;
}

async function run(question: Question): Promise<void> {
  state.value = { isBusy: true };
  try {
    await question.run?.();
    // It may have asked something further.
    if (open.value === question) open.value = null;
    state.value = { isBusy: false };
  } catch (error) {
    state.value = { isBusy: false, problem: asProblem(error) };
  }
}

export function Dialog() {
  const element = useRef<HTMLDialogElement>(null);
  const question = open.value;
  useEffect(() => {
    if (question) element.current?.showModal();
    else element.current?.close();
  }, [question]);
  return (
    <dialog ref={element} aria-labelledby="dialog-title" onClose={() => (open.value = null)}>
      {question && (
        <form method="dialog" onSubmit={(event) => (event.preventDefault(), void run(question))}>
          <h2 id="dialog-title">{question.title}</h2>
          <div class="dialog-body">{question.body}</div>
          <Notice problem={state.value.problem} />
          <div class="actions end">
            <button type="button" onClick={() => (open.value = null)}>
              {question.action ? t('action.back') : t('action.close')}
            </button>
            {question.action && (
              <button type="submit" class={question.isDangerous ? 'danger' : 'primary'} disabled={state.value.isBusy}>
                {question.action}
              </button>
            )}
          </div>
        </form>
      )}
    </dialog>
  );
}

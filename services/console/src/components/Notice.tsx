// What went wrong, in words: the problem's title and detail, and what to do about it.
import type { Problem } from '../api/problem';
import { t, type Key } from '../i18n';

function hintOf(problem: Problem): Key | null {
  switch (problem.status) {
    case 0:
      return 'problem.hint.unreachable';
    case 401:
      return 'problem.hint.unauthorized';
    case 402:
      return 'problem.hint.payment';
    case 403:
      return 'problem.hint.forbidden';
    case 404:
      return 'problem.hint.missing';
    case 409:
      return 'problem.hint.conflict';
    case 413:
      return 'problem.hint.large';
    case 422:
      return problem.errors.length > 0 ? 'problem.hint.fields' : null;
    default:
      return problem.status >= 500 ? 'problem.hint.later' : null;
  }
}

export function Notice({ problem, again }: { problem: Problem | undefined; again?: () => void }) {
  if (!problem) return null;
  const hint = hintOf(problem);
  return (
    <div class="notice bad" role="alert">
      <strong>{problem.status === 0 ? t('problem.unreachable') : problem.title}</strong>
      {problem.detail && <p>{problem.detail}</p>}
      {hint && <p class="dim">{t(hint)}</p>}
      {again && <button type="button" onClick={again}>{t('action.again')}</button>}
    </div>
  );
}

// Signing in with an API key: it is tried on the API before it is kept.
import { useState } from 'preact/hooks';
import { send } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { signIn } from '../api/session';
import type { Workspace } from '../api/types';
import { Languages } from '../components/Languages';
import { Notice } from '../components/Notice';
import { t } from '../i18n';

/** The workspace that a key opens. */
export async function workspaceOf(key: string): Promise<Workspace> {
  const response = await send('/api/v1/workspace', { headers: { Authorization: `Bearer ${key}` } });
  return (await response.json()) as Workspace;
}

export function SignIn() {
  const [text, setText] = useState('');
  const [remember, setRemember] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const key = text.trim();
    // A header takes visible ASCII only; anything else is no key.
    if (!/^[\x21-\x7e]+$/.test(key)) return setProblem(asProblem(new Error(t('signin.not_a_key'))));
    setBusy(true);
    setProblem(undefined);
    try {
      signIn(key, remember, await workspaceOf(key));
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="signin">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <img src="/icon.svg" alt="" width={40} height={40} />
        <h1>Anneal</h1>
        <p class="dim">{t('signin.about')}</p>
        <div class="field">
          <label for="key">{t('signin.key')}</label>
          <input id="key" type="password" autocomplete="current-password" value={text} aria-invalid={problem != null} aria-describedby="key-about" onInput={(event) => setText(event.currentTarget.value)} autofocus />
          <p id="key-about" class="dim">{t('signin.where')}</p>
        </div>
        <label class="inline"><input type="checkbox" checked={remember} onChange={(event) => setRemember(event.currentTarget.checked)} /> {t('signin.remember')}</label>
        {problem?.status === 401 ? <p class="notice bad" role="alert"><strong>{t('signin.wrong')}</strong></p> : <Notice problem={problem} />}
        <button type="submit" class="primary large" disabled={isBusy || text.trim() === ''}>{t('signin.run')}</button>
        <Languages />
      </form>
    </main>
  );
}

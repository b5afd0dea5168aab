// The frame around every page: where one can go, in which workspace, with how much money, in which language.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { ask } from '../api/client';
import { connection, useFacts } from '../api/facts';
import { useInterval, useLoad } from '../api/load';
import { signOut, workspace } from '../api/session';
import { t, word, type Key } from '../i18n';
import { Credits } from './Figures';
import { Languages } from './Languages';

const GROUPS: readonly (readonly [Key, readonly string[]])[] = [
  ['nav.develop', ['training', 'evaluation', 'compilation']],
  ['nav.assets', ['datasets', 'models']],
  ['nav.serve', ['deployments', 'chat']],
  ['nav.manage', ['billing', 'access']],
];
const BALANCE_MS = 30_000;

export function Shell({ children }: { children: ComponentChildren }) {
  const [path] = useLocation();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  return (
    <div class={`shell ${isOpen ? 'open' : ''}`}>
      <a class="skip" href="#main">{t('label.skip')}</a>
      <nav class="side" aria-label={t('label.navigation')}>
        <Link href="/training" class="brand"><img src="/icon.svg" alt="" width={22} height={22} /> Anneal</Link>
        {GROUPS.map(([name, pages]) => (
          <section key={name}>
            <h2>{t(name)}</h2>
            {pages.map((page) => (
              <Link key={page} href={`/${page}`} aria-current={path.split('/')[1] === page ? 'page' : undefined}>{t(`nav.${page}` as Key)}</Link>
            ))}
          </section>
        ))}
        <footer>
          <Languages />
          <button type="button" class="small" onClick={signOut}>{t('action.sign_out')}</button>
        </footer>
      </nav>
      <header class="top">
        <button type="button" class="burger" aria-label={t('label.navigation')} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>☰</button>
        <strong>{workspace.value?.name}</strong>
        {workspace.value?.role && <span class="badge quiet">{word('role_name', workspace.value.role)}</span>}
        <span class="end" />
        <span class={`dot ${connection.value}`} title={t('label.events')}>{word('connection', connection.value)}</span>
        <Money />
      </header>
      <main id="main" tabIndex={-1}>{children}</main>
    </div>
  );
}

function Money() {
  const balance = useLoad(() => ask('get', '/api/v1/billing/balance', {}), []);
  useInterval(balance.reload, BALANCE_MS);
  useFacts((fact) => ['queued', 'finished'].includes(String(fact.event.event)), balance.reload);
  if (!balance.data) return null;
  return <Link href="/billing" class="money"><Credits value={balance.data.available_microcredits} /> {t('money.credits')}</Link>;
}

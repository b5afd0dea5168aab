// Pieces that pages are laid out with: the heading, cards, tabs, definition lists, empty places.
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { t } from '../i18n';

export function Heading(props: { title: string; about?: ComponentChildren; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${props.title} · Anneal`;
  }, [props.title]);
  return (
    <header class="heading">
      <div>
        <h1 tabIndex={-1}>{props.title}</h1>
        {props.about && <p class="dim">{props.about}</p>}
      </div>
      <div class="actions">{props.children}</div>
    </header>
  );
}

export function Card(props: { title?: string; aside?: ComponentChildren; class?: string; children: ComponentChildren }) {
  return (
    <section class={`card ${props.class ?? ''}`}>
      {props.title && (
        <header>
          <h2>{props.title}</h2>
          {props.aside && <div class="actions">{props.aside}</div>}
        </header>
      )}
      {props.children}
    </section>
  );
}

export function Tabs({ base, tabs, now }: { base: string; tabs: readonly { id: string; name: string }[]; now: string }) {
  return (
    <nav class="tabs" aria-label={t('label.tabs')}>
      {tabs.map((tab) => (
        <Link key={tab.id} href={`${base}/${tab.id}`} aria-current={tab.id === now ? 'page' : undefined}>
          {tab.name}
        </Link>
      ))}
    </nav>
  );
}

export type Row = readonly [name: string, value: ComponentChildren];

export function Facts({ rows }: { rows: readonly Row[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value === '' || value == null ? <span class="dim">–</span> : value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export function Busy() {
  return <p class="empty" role="status">{t('label.loading')}</p>;
}

export function More({ pages }: { pages: { hasMore: boolean; isLoading: boolean; more(): void } }) {
  if (!pages.hasMore) return null;
  return (
    <div class="more">
      <button type="button" disabled={pages.isLoading} onClick={pages.more}>{t('action.more')}</button>
    </div>
  );
}

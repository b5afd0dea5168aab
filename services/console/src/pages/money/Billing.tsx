// The workspace's money: what it has, what an hour costs, and every posting.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { useFacts } from '../../api/facts';
import { useInterval, useLoad, usePages } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { isOperator, may } from '../../api/session';
import { saveStreamed } from '../../api/transfer';
import type { Audit, Posting } from '../../api/types';
import { Credits } from '../../components/Figures';
import { Busy, Card, Heading, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t, word } from '../../i18n';
import { Tile } from '../task/BillTab';
import { TopUp } from './TopUp';
import { Postings } from './Postings';

const BALANCE_MS = 10_000;

export function Billing() {
  const balance = useLoad(() => ask('get', '/api/v1/billing/balance', {}), []);
  useInterval(balance.reload, BALANCE_MS);
  useFacts((fact) => fact.event.event === 'finished' || fact.event.event === 'queued', balance.reload);
  return (
    <>
      <Heading title={t('nav.billing')} about={t('about.billing')} />
      <Notice problem={balance.problem} again={balance.reload} />
      {balance.data ? (
        // Keyed: else it would take the place of the block below, which would forget what it shows.
        <div key="tiles" class="tiles">
          <Tile name={t('money.available')} value={balance.data.available_microcredits} isMain />
          <Tile name={t('money.held')} value={balance.data.held_microcredits} />
          <Tile name={t('money.spent')} value={balance.data.spent_microcredits} />
        </div>
      ) : <Busy />}
      <div key="cards" class="columns">
        <Prices />
        <div>
          {isOperator() && <TopUp done={balance.reload} />}
          {may('admin') && <AuditCard />}
        </div>
      </div>
      <LedgerCard />
    </>
  );
}

function Prices() {
  const prices = useLoad(async () => (await ask('get', '/api/v1/billing/prices', {})).prices, []);
  return (
    <Card title={t('billing.prices')}>
      <Notice problem={prices.problem} again={prices.reload} />
      <table>
        <thead><tr><th>{t('billing.kind')}</th><th>{t('spec.pool')}</th><th class="right">{t('price.rate')}</th></tr></thead>
        <tbody>
          {prices.data?.map((price) => (
            <tr key={`${price.kind} ${price.pool}`}><td>{word('kind', price.kind)}</td><td>{word('value', price.pool)}</td><td class="right"><Credits value={price.rate_per_hour_microcredits} /> {t('price.an_hour')}</td></tr>
          ))}
        </tbody>
      </table>
      <p class="dim">{t('price.rule.evaluation')}</p>
    </Card>
  );
}

/** The API's ledger goes on after a posting; here that is the cursor. */
async function page(cursor: string | undefined) {
  const told = await ask('get', '/api/v1/billing/ledger', { query: { after: cursor ? Number(cursor) : undefined, limit: 500 } });
  return { data: told.data, has_more: told.has_more, next_cursor: told.next_after == null ? null : String(told.next_after) };
}

function LedgerCard() {
  const ledger = usePages<Posting>(page, []);
  const [problem, setProblem] = useState<Problem>();
  const csv = (): void => {
    saveStreamed('/api/v1/billing/ledger.csv', 'ledger.csv').catch((error: unknown) => setProblem(asProblem(error)));
  };
  return (
    <Card title={t('billing.ledger')} aside={<button type="button" class="small" onClick={csv}>CSV</button>}>
      <Notice problem={ledger.problem ?? problem} again={ledger.reload} />
      <Postings rows={ledger.items} withTask />
      <More pages={ledger} />
    </Card>
  );
}

/** Recomputes every charge from the reported usage. */
function AuditCard() {
  const [state, set] = useState<{ audit?: Audit; problem?: Problem; isBusy: boolean }>({ isBusy: false });
  const run = (): void => {
    set({ isBusy: true });
    ask('post', '/api/v1/billing/audit', {}).then(
      (audit) => set({ audit, isBusy: false }),
      (error: unknown) => set({ problem: asProblem(error), isBusy: false }),
    );
  };
  const wrong = state.audit?.rows.filter((row) => row.charged_microcredits !== row.recomputed_microcredits).length ?? 0;
  return (
    <Card title={t('audit.title')} aside={<button type="button" class="small" disabled={state.isBusy} onClick={run}>{t('audit.run')}</button>}>
      <p class="dim">{t('audit.about')}</p>
      <Notice problem={state.problem} />
      {state.audit && (
        <p class={`notice ${wrong > 0 ? 'bad' : 'good'}`} role="status">
          {wrong > 0 ? t('audit.wrong', { n: wrong }) : t('audit.right', { n: state.audit.rows.length })}
        </p>
      )}
    </Card>
  );
}

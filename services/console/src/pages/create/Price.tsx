// What a task would cost, before it is launched.
import { useLoad } from '../../api/load';
import { ask } from '../../api/client';
import type { TaskKind } from '../../api/types';
import { Credits } from '../../components/Figures';
import { Card, Facts } from '../../components/Layout';
import { lasting, t, word, type Key } from '../../i18n';
import type { Draft } from './useDraft';

export function Price({ draft, kind }: { draft: Draft; kind: TaskKind }) {
  const { quote } = draft;
  if (!quote) return <Card title={t('price.title')}><p class="dim">{t('price.incomplete')}</p><Rates kind={kind} /></Card>;
  const [least, most] = quote.expected_seconds;
  const isFree = quote.high_microcredits === 0;
  return (
    <Card title={t('price.title')} class={draft.isBusy ? 'stale' : ''}>
      <p class="price">
        {isFree ? t('price.free') : <><Credits value={quote.low_microcredits} /> – <Credits value={quote.high_microcredits} /></>}
        {!isFree && <small> {t('money.credits')}</small>}
      </p>
      <Facts
        rows={[
          [t('price.time'), `${lasting(least ?? 0)} – ${lasting(most ?? 0)}`],
          [t('price.hold'), <Credits value={quote.hold_microcredits} />],
          [t('price.rate'), <Credits value={quote.rate_per_hour_microcredits} />],
          [t('money.available'), <Credits value={quote.available_microcredits} />],
        ]}
      />
      {quote.warnings.map((warning) => <p key={warning} class="notice">{warning}</p>)}
      <p class="dim">{t(`price.rule.${kind}` as Key)}</p>
    </Card>
  );
}

/** The rates of this kind, while there is no quote yet. */
function Rates({ kind }: { kind: TaskKind }) {
  const prices = useLoad(() => ask('get', '/api/v1/billing/prices', {}), []);
  const rows = prices.data?.prices.filter((price) => price.kind === kind) ?? [];
  return <Facts rows={rows.map((price) => [word('value', price.pool), <><Credits value={price.rate_per_hour_microcredits} /> {t('price.an_hour')}</>])} />;
}

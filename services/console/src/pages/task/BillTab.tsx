// What a task was quoted, held, charged and given back.
import { ask } from '../../api/client';
import { useInterval, useLoad } from '../../api/load';
import type { Task } from '../../api/types';
import { Credits } from '../../components/Figures';
import { Busy, Card, Facts } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { lasting, t } from '../../i18n';
import { isMoving } from '../../tasks/verbs';
import { Postings } from '../money/Postings';

const BILL_MS = 10_000;

export function BillTab({ task }: { task: Task }) {
  const bill = useLoad(() => ask('get', '/api/v1/tasks/{id}/bill', { path: { id: task.id } }), [task.id, task.state]);
  useInterval(bill.reload, isMoving(task.state) ? BILL_MS : null);
  if (!bill.data) return bill.problem ? <Notice problem={bill.problem} again={bill.reload} /> : <Busy />;
  const it = bill.data;
  return (
    <>
      <Card title={t('tab.bill')} aside={<span class={`badge ${it.closed ? 'quiet' : 'live'}`}>{it.closed ? t('bill.closed') : t('bill.open')}</span>}>
        <div class="tiles">
          <Tile name={t('bill.captured')} value={it.captured_microcredits} isMain />
          <Tile name={t('bill.quoted')} value={it.quoted_microcredits} />
          <Tile name={t('bill.held')} value={it.held_microcredits} />
          <Tile name={t('bill.released')} value={it.released_microcredits} />
          <Tile name={t('bill.credited')} value={it.credited_microcredits} />
        </div>
        <Facts rows={[[t('bill.running'), lasting(it.running_seconds)], [t('price.rate'), <><Credits value={it.rate_per_hour_microcredits} /> {t('price.an_hour')}</>]]} />
      </Card>
      <Card title={t('bill.postings')}><Postings rows={it.postings} withTask={false} /></Card>
    </>
  );
}

export function Tile({ name, value, isMain }: { name: string; value: number; isMain?: boolean }) {
  return (
    <div class={`tile ${isMain ? 'main' : ''}`}>
      <small>{name}</small>
      <strong><Credits value={value} /></strong>
    </div>
  );
}

// Postings of the ledger as a table; those that follow each other and say the same stand in one row.
import type { Posting } from '../../api/types';
import { Credits, Time } from '../../components/Figures';
import { Empty } from '../../components/Layout';
import { TaskName } from '../../components/Reference';
import { t, word } from '../../i18n';
import { change, pocket, runs } from '../../tasks/ledger';

export function Postings({ rows, withTask }: { rows: readonly Posting[]; withTask: boolean }) {
  if (rows.length === 0) return <Empty>{t('empty.postings')}</Empty>;
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th class="right">#</th><th>{t('label.time')}</th><th>{t('ledger.reason')}</th><th>{t('ledger.from')}</th><th>{t('ledger.to')}</th>
            <th class="right">{t('ledger.amount')}</th><th class="right">{t('ledger.change')}</th>{withTask && <th>{t('ledger.task')}</th>}
          </tr>
        </thead>
        <tbody>
          {runs(rows).map(({ first: row, last, count, amount }) => (
            <tr key={row.id}>
              <td class="right number dim">{count > 1 ? `${row.id} – ${last.id}` : row.id}</td>
              <td class="when"><Time at={last.at} /></td>
              <td title={row.operation}>{word('reason', row.reason)}{count > 1 && <small class="dim"> × {count}</small>}</td>
              <td>{word('pocket', pocket(row.debit))}</td>
              <td>{word('pocket', pocket(row.credit))}</td>
              <td class="right"><Credits value={amount} /></td>
              <td class="right"><Change value={change(row, amount)} /></td>
              {withTask && <td>{row.task && <TaskName id={row.task} />}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Change({ value }: { value: number }) {
  if (value === 0) return <span class="dim">–</span>;
  return <span class={value > 0 ? 'plus' : 'minus'}>{value > 0 && '+'}<Credits value={value} /></span>;
}

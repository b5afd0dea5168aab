// Rows that cannot be used, by line.
import type { ProblemPlace } from '../../api/types';
import { Card } from '../../components/Layout';
import { t } from '../../i18n';

export function RowErrors({ errors, count }: { errors: readonly ProblemPlace[]; count: number }) {
  return (
    <Card title={t('dataset.wrong_rows', { n: count })} aside={count > errors.length && <small class="dim">{t('dataset.first', { n: errors.length })}</small>}>
      <div class="scroll">
        <table>
          <thead><tr><th class="right">{t('label.line')}</th><th>{t('label.column')}</th><th>{t('label.what')}</th><th>{t('label.file')}</th></tr></thead>
          <tbody>
            {errors.map((error, place) => (
              <tr key={place}>
                <td class="right number">{error.line}</td>
                <td>{error.field && <code>{error.field}</code>}</td>
                <td>{error.message}</td>
                <td class="dim">{error.file}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

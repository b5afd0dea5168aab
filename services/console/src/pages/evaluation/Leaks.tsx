// What a leak check found: how many of the evaluated rows stand in the data that the model was made from. Which ones, the
// report among the artifacts says.
import type { Task } from '../../api/types';
import { Card } from '../../components/Layout';
import * as format from '../../format';
import { t } from '../../i18n';

interface Leaked {
  checked: number;
  found: number;
  share: number;
}

interface LeakReport {
  method?: string;
  training_data?: { name: string; rows: number }[];
  tasks?: Record<string, Leaked>;
}

export function Leaks({ task }: { task: Task }) {
  const report = (task.figures as { leaks?: LeakReport | null }).leaks;
  if (!report?.tasks) return null;
  const data = report.training_data ?? [];
  return (
    <Card title={t('section.leaks')} aside={<small class="dim" title={report.method}>{t('leaks.searched', { names: data.map((one) => one.name).join(', ') || '–' })}</small>}>
      <table>
        <thead><tr><th>{t('scores.what')}</th><th class="right">{t('leaks.checked')}</th><th class="right">{t('leaks.found')}</th><th class="right">{t('leaks.share')}</th></tr></thead>
        <tbody>
          {Object.entries(report.tasks).map(([name, leaked]) => (
            <tr key={name}>
              <td>{name}</td>
              <td class="right number">{leaked.checked}</td>
              <td class="right number"><span class={`badge ${leaked.found > 0 ? 'wait' : 'good'}`}>{leaked.found}</span></td>
              <td class="right number">{format.percent(leaked.share * 100, 'en')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

// What a leak check found: whether evaluated rows stand in the data that the model was made from.
import type { Task } from '../../api/types';
import { Card } from '../../components/Layout';
import { t } from '../../i18n';

export function Leaks({ task }: { task: Task }) {
  const leaks = (task.figures as Record<string, unknown>).leaks;
  if (leaks == null) return null;
  return (
    <Card title={t('section.leaks')}>
      <pre class="json">{JSON.stringify(leaks, null, 2)}</pre>
    </Card>
  );
}

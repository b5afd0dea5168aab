// Who may do what: the workspace, its users, its API keys; and, for those who run the platform, every workspace.
import { may, workspace } from '../../api/session';
import { Empty, Heading } from '../../components/Layout';
import { t } from '../../i18n';
import { Keys } from './Keys';
import { Users } from './Users';
import { Workspaces } from './Workspaces';

export function Access() {
  return (
    <>
      <Heading title={t('nav.access')} about={t('about.access', { name: workspace.value?.name ?? '' })} />
      <Workspaces />
      <Users />
      {may('admin') ? <Keys /> : <Empty>{t('empty.keys_admin')}</Empty>}
    </>
  );
}

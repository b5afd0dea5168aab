// The workspaces that the key may see: its own, or all of them for those who run the platform.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { usePages } from '../../api/load';
import { isOperator, may, workspace } from '../../api/session';
import type { Workspace } from '../../api/types';
import { confirm } from '../../components/Dialog';
import { Text } from '../../components/Field';
import { Id, Time } from '../../components/Figures';
import { Card, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t, word } from '../../i18n';
import { Add } from './Add';
import { showOnce } from './Secret';

export function Workspaces() {
  const list = usePages<Workspace>((cursor) => ask('get', '/api/v1/workspaces', { query: { limit: 50, cursor } }), []);
  const own = workspace.value;
  const [name, setName] = useState('');
  const create = async (once: string): Promise<void> => {
    const made = await ask('post', '/api/v1/workspaces', { body: { name }, once });
    setName('');
    list.reload();
    showOnce(made.admin_key);
  };
  const remove = (one: Workspace): void =>
    confirm({
      title: t('workspace.delete.title', { name: one.name }), body: <p>{t('workspace.delete.cost')}</p>, action: t('verb.delete'), isDangerous: true,
      run: () => ask('delete', '/api/v1/workspaces/{id}', { path: { id: one.id } }).then(list.reload),
    });
  return (
    <Card title={t('access.workspaces')}>
      {isOperator() && <Add action={t('workspace.create')} run={create}><Text name="name" label={t('field.name')} value={name} onChange={setName} /></Add>}
      <Notice problem={list.problem} again={list.reload} />
      <table>
        <thead><tr><th>{t('field.name')}</th><th>{t('access.role')}</th><th>{t('label.created')}</th><th>ID</th><th /></tr></thead>
        <tbody>
          {list.items.map((one) => (
            <tr key={one.id}>
              <td>{may('admin') ? <Rename workspace={one} done={list.reload} /> : one.name}</td>
              <td>{one.id === own?.id && own.role ? word('role_name', own.role) : ''}</td>
              <td class="when"><Time at={one.created_at} /></td>
              <td><Id id={one.id} /></td>
              <td class="right">{isOperator() && one.id !== own?.id && <button type="button" class="small danger" onClick={() => remove(one)}>{t('verb.delete')}</button>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <More pages={list} />
    </Card>
  );
}

/** A name that can be changed where it stands. */
function Rename({ workspace: it, done }: { workspace: Workspace; done: () => void }) {
  const [name, setName] = useState<string | null>(null);
  if (name === null) return <>{it.name} <button type="button" class="small" onClick={() => setName(it.name)}>{t('action.rename')}</button></>;
  const rename = async (): Promise<void> => {
    const renamed = await ask('patch', '/api/v1/workspaces/{id}', { path: { id: it.id }, body: { name } });
    if (workspace.value?.id === it.id) workspace.value = { ...workspace.value, name: renamed.name };
    setName(null);
    done();
  };
  return <Add action={t('action.rename')} run={rename}><Text name="name" label={t('field.name')} value={name} onChange={setName} /></Add>;
}

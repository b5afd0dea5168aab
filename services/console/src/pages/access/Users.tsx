// The people of the workspace, and the most that their keys may do.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { usePages } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { may } from '../../api/session';
import type { Role, User } from '../../api/types';
import { confirm } from '../../components/Dialog';
import { Select, Text } from '../../components/Field';
import { Time } from '../../components/Figures';
import { Card, Empty, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t, word } from '../../i18n';
import { Add } from './Add';
import { roleChoices, ROLES } from './Keys';

export function Users() {
  const users = usePages<User>((cursor) => ask('get', '/api/v1/users', { query: { limit: 50, cursor } }), []);
  const [problem, setProblem] = useState<Problem>();
  const change = (user: User, role: Role): void => {
    setProblem(undefined);
    ask('patch', '/api/v1/users/{id}', { path: { id: user.id }, body: { role } }).then(users.reload, (error: unknown) => {
      setProblem(asProblem(error));
      users.reload();
    });
  };
  const remove = (user: User): void =>
    confirm({
      title: t('user.remove.title', { name: user.name }), body: <p>{t('user.remove.cost')}</p>, action: t('action.remove'), isDangerous: true,
      run: () => ask('delete', '/api/v1/users/{id}', { path: { id: user.id } }).then(users.reload),
    });
  return (
    <Card title={t('access.users')}>
      {may('admin') && <AddUser done={users.reload} />}
      <Notice problem={users.problem ?? problem} again={users.reload} />
      {users.items.length === 0 && !users.isLoading && <Empty>{t('empty.users')}</Empty>}
      {users.items.length > 0 && (
        <table>
          <thead><tr><th>{t('field.name')}</th><th>{t('access.email')}</th><th>{t('access.role')}</th><th>{t('label.created')}</th><th /></tr></thead>
          <tbody>
            {users.items.map((user) => (
              <tr key={user.id}>
                <td>{user.name}</td><td>{user.email}</td>
                <td>
                  {may('admin') ? (
                    <select aria-label={t('access.role')} value={user.role} onChange={(event) => change(user, event.currentTarget.value as Role)}>
                      {ROLES.map((role) => <option key={role} value={role}>{word('role_name', role)}</option>)}
                    </select>
                  ) : word('role_name', user.role)}
                </td>
                <td class="when"><Time at={user.created_at} /></td>
                <td class="right">{may('admin') && <button type="button" class="small danger" onClick={() => remove(user)}>{t('action.remove')}</button>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <More pages={users} />
    </Card>
  );
}

function AddUser({ done }: { done: () => void }) {
  const [email, setEmail] = useState('');
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('member');
  const add = async (once: string): Promise<void> => {
    await ask('post', '/api/v1/users', { body: { email, name, role }, once });
    setEmail('');
    setName('');
    done();
  };
  return (
    <Add action={t('user.add')} run={add}>
      <Text name="email" label={t('access.email')} type="email" value={email} onChange={setEmail} />
      <Text name="name" label={t('field.name')} value={name} onChange={setName} />
      <Select name="role" label={t('access.role')} value={role} choices={roleChoices()} onChange={(value) => setRole(value as Role)} />
    </Add>
  );
}

// The workspace's API keys.
import { useState } from 'preact/hooks';
import { ask } from '../../api/client';
import { useLoad, usePages, whole } from '../../api/load';
import type { ApiKey, Role, User } from '../../api/types';
import { confirm } from '../../components/Dialog';
import { Select, Text } from '../../components/Field';
import { Id, Time } from '../../components/Figures';
import { Card, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t, word } from '../../i18n';
import { Add } from './Add';
import { showOnce } from './Secret';

export const ROLES: readonly Role[] = ['viewer', 'member', 'admin'];
export const roleChoices = () => ROLES.map((value) => ({ value, name: word('role_name', value) }));

export function Keys() {
  const keys = usePages<ApiKey>((cursor) => ask('get', '/api/v1/api-keys', { query: { limit: 50, cursor } }), []);
  const users = useLoad(() => whole<User>((cursor) => ask('get', '/api/v1/users', { query: { limit: 100, cursor } })), []);
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('member');
  const [user, setUser] = useState('');
  const add = async (once: string): Promise<void> => {
    const made = await ask('post', '/api/v1/api-keys', { body: { name, role, user: user || undefined }, once });
    setName('');
    keys.reload();
    showOnce(made.key);
  };
  const revoke = (key: ApiKey): void =>
    confirm({
      title: t('key.revoke.title', { name: key.name }), body: <p>{t('key.revoke.cost')}</p>, action: t('key.revoke'), isDangerous: true,
      run: () => ask('delete', '/api/v1/api-keys/{id}', { path: { id: key.id } }).then(keys.reload),
    });
  const ownerOf = (id: string | null | undefined): string => users.data?.find((one) => one.id === id)?.email ?? id ?? '';
  return (
    <Card title={t('access.keys')}>
      <Add action={t('key.create')} run={add}>
        <Text name="name" label={t('field.name')} value={name} onChange={setName} />
        <Select name="role" label={t('access.role')} value={role} choices={roleChoices()} onChange={(value) => setRole(value as Role)} />
        <Select name="user" label={t('access.user')} value={user} placeholder={t('access.nobody')} choices={(users.data ?? []).map((one) => ({ value: one.id, name: one.email }))} onChange={setUser} />
      </Add>
      <Notice problem={keys.problem} again={keys.reload} />
      <div class="scroll">
        <table>
          <thead><tr><th>{t('field.name')}</th><th>{t('access.role')}</th><th>{t('access.user')}</th><th>{t('label.created')}</th><th>ID</th><th /></tr></thead>
          <tbody>
            {keys.items.map((key) => (
              <tr key={key.id}>
                <td>{key.name}</td><td>{word('role_name', key.role)}</td><td>{ownerOf(key.user)}</td><td class="when"><Time at={key.created_at} /></td><td><Id id={key.id} /></td>
                <td class="right"><button type="button" class="small danger" onClick={() => revoke(key)}>{t('key.revoke')}</button></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More pages={keys} />
    </Card>
  );
}

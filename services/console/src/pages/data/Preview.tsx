// The first rows of a dataset, as the platform understands them: conversations as conversations, the rest field by field.
import { ask } from '../../api/client';
import { useLoad } from '../../api/load';
import { Card, Empty } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t } from '../../i18n';

type Row = Record<string, unknown>;

export function Preview({ id, version }: { id: string; version: number }) {
  const preview = useLoad(
    async () => (await ask('get', '/api/v1/datasets/{id}/preview', { path: { id }, query: { limit: 20, version } })).rows,
    [id, version],
  );
  return (
    <Card title={t('section.preview')}>
      <Notice problem={preview.problem} again={preview.reload} />
      {preview.data?.length === 0 && <Empty>{t('empty.preview')}</Empty>}
      <ol class="preview">{preview.data?.map((row, place) => <li key={place}><PreviewRow row={row} /></li>)}</ol>
    </Card>
  );
}

interface Turn {
  role: string;
  content: string;
}

const isTurns = (value: unknown): value is Turn[] =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'object' && one !== null && typeof (one as Turn).content === 'string');

function PreviewRow({ row }: { row: Row }) {
  // A row of a benchmark stands whole under one name.
  const names = Object.keys(row);
  const only = names.length === 1 ? row[names[0] ?? ''] : undefined;
  const told = typeof only === 'object' && only !== null && !Array.isArray(only) ? (only as Row) : row;
  return (
    <dl class="row">
      {Object.entries(told).filter(([, value]) => value != null).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{isTurns(value) ? <Turns turns={value} /> : <span class="text">{typeof value === 'string' ? value : JSON.stringify(value)}</span>}</dd>
        </div>
      ))}
    </dl>
  );
}

function Turns({ turns }: { turns: readonly Turn[] }) {
  return <>{turns.map((turn, place) => <p key={place} class="turn"><small class="dim">{turn.role}</small> <span class="text">{turn.content}</span></p>)}</>;
}

// Something named by its id: its name, leading to its page.
import { Link } from 'wouter-preact';
import { nameOf } from '../api/names';
import type { TaskKind } from '../api/types';
import * as format from '../format';

export function ModelName({ id }: { id: string }) {
  return <Link href={`/models/${id}`} title={id}>{nameOf(id) ?? format.shortId(id)}</Link>;
}

export function DatasetName({ id }: { id: string }) {
  return <Link href={`/datasets/${id}`} title={id}>{nameOf(id) ?? format.shortId(id)}</Link>;
}

export function TaskName({ id, kind, name }: { id: string; kind?: TaskKind; name?: string }) {
  return <Link href={kind ? `/${kind}/${id}` : `/tasks/${id}`} title={id}>{name ?? nameOf(id) ?? format.shortId(id)}</Link>;
}

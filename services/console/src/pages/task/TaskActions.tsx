// What can be done with a task: what follows from it (evaluate, compile, deploy), and the verbs that its state allows.
import { Link } from 'wouter-preact';
import { address } from '../../api/client';
import { may } from '../../api/session';
import { fileName, saveStreamed } from '../../api/transfer';
import type { Task } from '../../api/types';
import { confirm } from '../../components/Dialog';
import { Menu } from '../../components/Menu';
import { t, type Key } from '../../i18n';
import { verbsOf } from '../../tasks/verbs';
import { askOf } from './ask';

interface Next {
  href: string;
  name: string;
}

/** Where a task leads. */
function nextOf(task: Task): Next[] {
  const next: Next[] = [];
  const hasModel = task.model != null;
  if (task.kind === 'training' && hasModel) {
    next.push({ href: `/evaluation/new?task=${task.id}`, name: t('action.evaluate') });
    next.push({ href: `/compilation/new?task=${task.id}`, name: t('action.compile') });
  }
  if (task.kind === 'evaluation' && task.state === 'succeeded') {
    next.push({ href: `/evaluation/${task.id}/samples`, name: t('action.samples') });
    const isOfCheckpoint = task.spec.kind === 'evaluation' && task.spec.checkpoint != null;
    if (!isOfCheckpoint) next.push({ href: `/compilation/new?task=${task.id}`, name: t('action.compile') });
  }
  if (task.kind === 'compilation' && hasModel) {
    next.push({ href: `/deployments?model=${task.model}`, name: t('action.deploy') });
  }
  return may('member') ? next : next.filter((one) => one.href.endsWith('/samples'));
}

/** Saves the compiled model as one archive. */
function exportModel(task: Task): void {
  const path = address('/api/v1/models/{id}/archive', { id: task.model });
  confirm({
    title: t('action.export'),
    body: <p>{t('export.about', { name: task.name })}</p>,
    action: t('action.download'),
    run: () => saveStreamed(path, `${fileName(task.name)}.zip`),
  });
}

export function TaskActions({ task, done, gone }: { task: Task; done: () => void; gone: () => void }) {
  const verbs = may('member') ? verbsOf(task.state) : [];
  const [first, ...others] = nextOf(task);
  const canExport = task.kind === 'compilation' && task.model != null;
  return (
    <div class="actions">
      {first && <Link class="button small" href={first.href}>{first.name}</Link>}
      {verbs.includes('pause') && <button type="button" class="small" onClick={() => askOf(task, 'pause', done)}>{t('verb.pause')}</button>}
      {verbs.includes('resume') && <button type="button" class="small" onClick={() => askOf(task, 'resume', done)}>{t('verb.resume')}</button>}
      <Menu label={t('label.actions_of', { name: task.name })}>
        <Link href={`/${task.kind}/${task.id}`}>{t('action.details')}</Link>
        {others.map((one) => <Link key={one.href} href={one.href}>{one.name}</Link>)}
        {canExport && <button type="button" onClick={() => exportModel(task)}>{t('action.export')}</button>}
        {may('member') && <Link href={`/${task.kind}/new?clone=${task.id}`}>{t('action.clone')}</Link>}
        {verbs.filter((verb) => verb !== 'pause' && verb !== 'resume').map((verb) => (
          <button key={verb} type="button" class="bad" onClick={() => askOf(task, verb, verb === 'delete' ? gone : done)}>
            {t(`verb.${verb}` as Key)}
          </button>
        ))}
      </Menu>
    </div>
  );
}

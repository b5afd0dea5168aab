// Imports from a hub: how far each is, and what became of it.
import { may } from '../../api/session';
import type { HubImport, Import } from '../../api/types';
import { Bytes, Time } from '../../components/Figures';
import { Busy, Empty } from '../../components/Layout';
import { Progress } from '../../components/Progress';
import { DatasetName, ModelName } from '../../components/Reference';
import { isChecked, isUnderWay } from '../../forms/hub';
import { t, word } from '../../i18n';

interface Props {
  imports: readonly Import[];
  isLoading: boolean;
  /** Fills the form in with what was asked. */
  again(request: HubImport): void;
}

const TONES: Record<string, string> = { done: 'good', failed: 'bad', running: 'live', waiting: 'wait' };

export function Imports({ imports, isLoading, again }: Props) {
  if (imports.length === 0) return isLoading ? <Busy /> : <Empty>{t('empty.imports')}</Empty>;
  return (
    <div class="scroll">
      <table>
        <thead><tr><th>{t('hub.repository')}</th><th>{t('label.state')}</th><th>{t('label.progress')}</th><th>{t('label.created')}</th><th><span class="unseen">{t('label.actions')}</span></th></tr></thead>
        <tbody>
          {imports.map((one) => (
            <tr key={one.id}>
              <td class="main-cell">{one.request.hub}<small class="dim">{partsOf(one)}</small></td>
              <td><span class={`badge ${TONES[one.state] ?? 'quiet'}`}>{isChecked(one) ? t('upload.checking') : word('import_state', one.state)}</span></td>
              <td><Outcome of={one} /></td>
              <td class="when"><Time at={one.created_at} /></td>
              <td class="right">{one.state === 'failed' && may('member') && <button type="button" class="small" onClick={() => again(one.request)}>{t('action.again')}</button>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Which part of the repository it takes: the revision with its commit, the configuration, the split, the files. */
function partsOf({ request, commit }: Import): string {
  const revision = request.revision ?? 'main';
  const at = commit && !commit.startsWith(revision) ? `${revision} · ${commit.slice(0, 8)}` : revision;
  return [at, request.config, request.split, ...(request.files ?? [])].filter(Boolean).join(' · ');
}

/** What it became, why it failed or waits, and how many bytes have come. */
function Outcome({ of }: { of: Import }) {
  if (of.resource) return of.request.kind === 'model' ? <ModelName id={of.resource} /> : <DatasetName id={of.resource} />;
  return (
    <>
      {isUnderWay(of) && of.total_bytes > 0 && <><Progress percent={(of.done_bytes / of.total_bytes) * 100} label={of.request.hub} tone="live" /> <small class="dim"><Bytes value={of.done_bytes} /> / <Bytes value={of.total_bytes} /></small></>}
      {of.failure && <p class="error">{of.failure}</p>}
    </>
  );
}

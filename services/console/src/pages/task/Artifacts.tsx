// What a task published: each folder with its files, one at a time or as one archive.
import { useState } from 'preact/hooks';
import { address, ask } from '../../api/client';
import { useLoad } from '../../api/load';
import { asProblem, type Problem } from '../../api/problem';
import { artifactFile, fileName, saveLinked, saveStreamed } from '../../api/transfer';
import type { Task } from '../../api/types';
import { Bytes } from '../../components/Figures';
import { Busy, Card, Empty } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { ModelName } from '../../components/Reference';
import { t, word } from '../../i18n';

export function Artifacts({ task }: { task: Task }) {
  const found = useLoad(
    async () => (await ask('get', '/api/v1/tasks/{id}/artifacts', { path: { id: task.id } })).data,
    [task.id, task.state],
  );
  const [problem, setProblem] = useState<Problem>();
  const save = (saving: Promise<void>): void => {
    setProblem(undefined);
    saving.catch((error: unknown) => setProblem(asProblem(error)));
  };
  if (!found.data) return found.problem ? <Notice problem={found.problem} again={found.reload} /> : <Busy />;
  return (
    <>
      <Notice problem={problem} />
      {task.model && <p>{t('artifacts.model')} <ModelName id={task.model} /></p>}
      {found.data.length === 0 && <Empty>{t('empty.artifacts')}</Empty>}
      {found.data.map((folder) => (
        <Card key={folder.role} title={word('role', folder.role)} aside={
          <>
            <Bytes value={folder.size_bytes} />
            <button type="button" class="small" onClick={() => save(saveStreamed(address('/api/v1/tasks/{id}/artifacts/{role}/archive', { id: task.id, role: folder.role }), `${fileName(task.name)}-${folder.role}.zip`))}>
              {t('action.download_all')}
            </button>
          </>
        }>
          <div class="scroll">
            <table>
              <thead><tr><th>{t('label.file')}</th><th class="right">{t('label.size')}</th><th>SHA-256</th><th /></tr></thead>
              <tbody>
                {folder.files.map((file) => (
                  <tr key={file.path}>
                    <td><code>{file.path}</code></td>
                    <td class="right"><Bytes value={file.size} /></td>
                    <td><code class="dim" title={file.sha256}>{file.sha256.slice(0, 16)}…</code></td>
                    <td class="right"><button type="button" class="small" onClick={() => save(saveLinked(artifactFile(task.id, folder.role, file.path)))}>{t('action.download')}</button></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Card>
      ))}
    </>
  );
}

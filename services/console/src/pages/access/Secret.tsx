// A key that is shown once.
import { confirm } from '../../components/Dialog';
import { t } from '../../i18n';

export function showOnce(key: string | null | undefined): void {
  if (!key) return;
  confirm({
    title: t('key.made'),
    body: (
      <>
        <p>{t('key.once')}</p>
        <pre class="text secret" tabIndex={0}>{key}</pre>
        <button type="button" class="small" onClick={() => void navigator.clipboard?.writeText(key)}>{t('action.copy')}</button>
      </>
    ),
  });
}

// Small pieces that show one value: an amount of money, a time, an id that can be copied.
import { useState } from 'preact/hooks';
import * as format from '../format';
import { locale, t } from '../i18n';

export function Credits({ value }: { value: number }) {
  return <span class="number" title={`${value} µ`}>{format.credits(value, locale.value)}</span>;
}

export function Bytes({ value }: { value: number }) {
  return <span class="number" title={`${value} B`}>{format.bytes(value, locale.value)}</span>;
}

export function Count({ value }: { value: number }) {
  return <span class="number">{format.count(value, locale.value)}</span>;
}

export function Time({ at }: { at: string | null | undefined }) {
  return at ? <time dateTime={at} title={at}>{format.time(at, locale.value)}</time> : <span class="dim">–</span>;
}

/** An id in short; a click copies the whole. */
export function Id({ id }: { id: string }) {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    // Only pages served over HTTPS, or from this machine, may use the clipboard.
    void navigator.clipboard?.writeText(id).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1200);
    });
  };
  return (
    <button type="button" class="id" title={`${id}\n${t('action.copy')}`} onClick={copy}>
      {copied ? t('action.copied') : format.shortId(id)}
    </button>
  );
}

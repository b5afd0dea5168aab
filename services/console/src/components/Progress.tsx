// How far something is: a bar with its percentage.
import * as format from '../format';
import { locale } from '../i18n';

export function Progress({ percent, label, tone }: { percent: number; label: string; tone?: string }) {
  const told = Math.max(0, Math.min(100, percent));
  return (
    <span class={`progress ${tone ?? ''}`}>
      <progress max={100} value={told} aria-label={label} />
      <span class="number">{format.percent(told, locale.value, 0)}</span>
    </span>
  );
}

// A small menu behind a button; Escape, a choice or a click elsewhere closes it.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export function Menu({ label, children }: { label: string; children: ComponentChildren }) {
  const [place, setPlace] = useState<{ top: number; right: number } | null>(null);
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place) return;
    const close = (event: Event): void => {
      const isEscape = event instanceof KeyboardEvent && event.key === 'Escape';
      const isOutside = event.type === 'pointerdown' && !element.current?.contains(event.target as Node);
      if (isEscape || isOutside || event.type === 'scroll') setPlace(null);
    };
    document.addEventListener('keydown', close);
    document.addEventListener('pointerdown', close);
    // It stands still over a page that moves: it closes.
    document.addEventListener('scroll', close, true);
    return () => {
      document.removeEventListener('keydown', close);
      document.removeEventListener('pointerdown', close);
      document.removeEventListener('scroll', close, true);
    };
  }, [place]);
  const toggle = ({ currentTarget }: { currentTarget: Element }): void => {
    const { bottom, right } = currentTarget.getBoundingClientRect();
    setPlace(place ? null : { top: bottom + 3, right: document.documentElement.clientWidth - right });
  };
  return (
    <div class="menu" ref={element}>
      <button type="button" class="small" aria-label={label} aria-expanded={place != null} onClick={toggle}>⋯</button>
      {place && <div class="menu-items" style={{ top: `${place.top}px`, right: `${place.right}px` }} onClick={() => setPlace(null)}>{children}</div>}
    </div>
  );
}

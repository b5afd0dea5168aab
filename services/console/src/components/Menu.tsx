// A small menu behind a button; Escape, a choice or a click elsewhere closes it.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export function Menu({ label, children }: { label: string; children: ComponentChildren }) {
  const [isOpen, setOpen] = useState(false);
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const close = (event: Event): void => {
      const isEscape = event instanceof KeyboardEvent && event.key === 'Escape';
      const isOutside = event.type === 'pointerdown' && !element.current?.contains(event.target as Node);
      if (isEscape || isOutside) setOpen(false);
    };
    document.addEventListener('keydown', close);
    document.addEventListener('pointerdown', close);
    return () => {
      document.removeEventListener('keydown', close);
      document.removeEventListener('pointerdown', close);
    };
  }, [isOpen]);
  return (
    <div class="menu" ref={element}>
      <button type="button" class="small" aria-label={label} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>⋯</button>
      {isOpen && <div class="menu-items" onClick={() => setOpen(false)}>{children}</div>}
    </div>
  );
}

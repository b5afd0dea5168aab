// The page's language: which one, and the words of it.
import { computed, signal } from '@preact/signals';
import { duration } from '../format';
import { en } from './en';
import { zh } from './zh';

export type Language = 'en' | 'zh';
export type Key = keyof typeof en;
/** A dictionary has every word, and no other. */
export type Dictionary = Record<Key, string>;

const NAME = 'anneal.language';
const dictionaries: Record<Language, Dictionary> = { en, zh };

export const language = signal<Language>(chosen());
/** For `Intl`. */
export const locale = computed(() => (language.value === 'zh' ? 'zh-CN' : 'en-GB'));

function chosen(): Language {
  try {
    const kept = localStorage.getItem(NAME);
    if (kept === 'en' || kept === 'zh') return kept;
  } catch {
    // Nothing can be kept here; the browser's own language does.
  }
  return languageOf(typeof navigator === 'undefined' ? [] : navigator.languages);
}

/** The first of the browser's languages that the page speaks. */
export function languageOf(preferred: readonly string[]): Language {
  const known = preferred.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => tag === 'zh' || tag === 'en');
  return known === 'zh' ? 'zh' : 'en';
}

export function speak(wanted: Language): void {
  language.value = wanted;
  try {
    localStorage.setItem(NAME, wanted);
  } catch {
    // It holds until the page is closed.
  }
}

/** The words of `key`, with `{name}` filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(dictionaries[language.value][key], values);
}

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** How long something takes. */
export function lasting(seconds: number): string {
  return duration(seconds, language.value);
}

/** The words for a name that the API uses, or the name itself where the page has no word for it. */
export function word(prefix: string, name: string): string {
  const key = `${prefix}.${name}`;
  return key in en ? t(key as Key) : name;
}

/** The words for a field of a specification, such as `lora.rank`: its own, or those of the field wherever it stands. */
export function fieldWord(path: string): string {
  const bare = path.slice(path.lastIndexOf('.') + 1);
  const name = [path, bare].find((one) => `spec.${one}` in en);
  return name === undefined ? path : word('spec', name);
}

// The two dictionaries: the same words, the same places to fill in, and none left in the other language.
import { describe, expect, it } from 'vitest';
import { fieldWord, fill, languageOf } from '../src/i18n';
import { en } from '../src/i18n/en';
import { form } from '../src/i18n/en/form';
import { money } from '../src/i18n/en/money';
import { shell } from '../src/i18n/en/shell';
import { task } from '../src/i18n/en/task';
import { work } from '../src/i18n/en/work';
import { zh } from '../src/i18n/zh';

const places = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '').sort();

describe('the dictionaries', () => {
  it('have the same keys', () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  });

  it('lose no key to another part of the same name', () => {
    const parts = [shell, task, form, work, money].map((part) => Object.keys(part).length);
    expect(parts.reduce((sum, count) => sum + count, 0)).toBe(Object.keys(en).length);
  });

  it('fill in the same places, and are never empty', () => {
    for (const [key, text] of Object.entries(en)) {
      const other = zh[key as keyof typeof zh];
      expect([key, places(other)]).toEqual([key, places(text)]);
      expect(text.trim() && other.trim(), key).not.toBe('');
    }
  });

  it('keep to their languages', () => {
    const chinese = /[\u4e00-\u9fff]/;
    for (const [key, text] of Object.entries(en)) expect(chinese.test(text), key).toBe(false);
    // Names that the field writes in Latin letters everywhere.
    const latin = Object.entries(zh).filter(([, text]) => !chinese.test(text)).map(([, text]) => text);
    expect(latin.every((text) => /^[\w\s/.+()-]+$/.test(text) && text.length <= 20), latin.join(' | ')).toBe(true);
  });

  it('fill in values as text', () => {
    expect(fill('a {x} b {y}', { x: 1 })).toBe('a 1 b {y}');
  });

  it('name a field of a specification by its own words, or by those of the field elsewhere', () => {
    expect([fieldWord('lora.rank'), fieldWord('max_length'), fieldWord('checkpoint_evaluation.max_length'), fieldWord('lora.colour')]).toEqual([
      en['spec.lora.rank'], en['spec.max_length'], en['spec.max_length'], 'lora.colour',
    ]);
  });

  it('are chosen by the browser', () => {
    expect(languageOf(['fr-FR', 'zh-Hans-CN', 'en'])).toBe('zh');
    expect(languageOf(['en-GB', 'zh'])).toBe('en');
    expect(languageOf([])).toBe('en');
  });
});

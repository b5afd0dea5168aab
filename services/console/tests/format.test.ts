// Figures as people read them.
import { describe, expect, it } from 'vitest';
import * as format from '../src/format';

describe('figures', () => {
  it('tell small amounts of money apart', () => {
    expect(format.credits(97_400_000, 'en-GB')).toBe('97.40');
    expect(format.credits(16_673, 'en-GB')).toBe('0.0167');
    expect(format.credits(-1_000_000, 'en-GB')).toBe('-1.00');
    expect(format.credits(0, 'en-GB')).toBe('0.00');
  });

  it('never say 1000 of a unit', () => {
    expect(format.bytes(999, 'en')).toBe('999 B');
    expect(format.bytes(999_600, 'en')).toBe('1 MB');
    expect(format.bytes(98_362_432, 'en')).toBe('98.4 MB');
    expect(format.bytes(153_698_732, 'en')).toBe('154 MB');
  });

  it('say how long in two parts at most', () => {
    expect(format.duration(0.34)).toBe('0.3 s');
    expect(format.duration(59.6)).toBe('1 m');
    expect(format.duration(3661)).toBe('1 h 1 m');
    expect(format.duration(86_400 + 60)).toBe('1 d');
    expect(format.duration(0)).toBe('0 s');
    expect(format.duration(Number.NaN)).toBe('–');
    expect(format.duration(75, 'zh')).toBe('1分 15秒');
  });

  it('keep what measured values say', () => {
    expect(format.figure(0.08191780219)).toBe('0.08192');
    expect(format.figure(1.0004133816, 6)).toBe('1.00041');
    expect(format.figure(0.00014140870836)).toBe('1.41e-4');
    expect(format.figure(0)).toBe('0');
    expect(format.figure(531_484_672)).toBe('531.5M');
    expect(format.figure(null)).toBe('–');
    expect(format.figure(Number.POSITIVE_INFINITY)).toBe('–');
  });

  it('leave the year out in its own year only', () => {
    const at = '2026-03-05T12:00:00Z';
    expect(format.time(at, 'en-GB', new Date('2026-07-01'))).not.toContain('2026');
    expect(format.time(at, 'en-GB', new Date('2027-07-01'))).toContain('2026');
    expect(format.time('never', 'en-GB')).toBe('never');
  });

  it('shorten ids and leave short ones', () => {
    expect(format.shortId('task-01a218213866728b9b37eb2e33cc239a')).toBe('task-…cc239a');
    expect(format.shortId('ds-1')).toBe('ds-1');
  });
});

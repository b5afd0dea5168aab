// Figures as people read them. Pure; the locale is the caller's.

/** Micro-credits as credits, with as many digits as tell small amounts apart. */
export function credits(microcredits: number, locale: string): string {
  const value = microcredits / 1e6;
  const digits = value !== 0 && Math.abs(value) < 1 ? 4 : 2;
  return new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: digits }).format(value);
}

export function bytes(count: number, locale: string): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 99.95 ? 1 : 0;
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value)} ${units[unit]}`;
}

export function count(value: number, locale: string): string {
  return new Intl.NumberFormat(locale).format(value);
}

/** A large number in short, such as `135M`. */
export function short(value: number): string {
  return new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

export function percent(value: number, locale: string, digits = 1): string {
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value)} %`;
}

const UNITS = { en: [' d', ' h', ' m', ' s'], zh: ['天', '小时', '分', '秒'] } as const;

/** Seconds as `2 d 3 h`, `1 h 5 m`, `4 m 10 s`, `12 s`: the two largest parts. */
export function duration(seconds: number, language: keyof typeof UNITS = 'en'): string {
  const [days, hours, minutes, rest] = UNITS[language];
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds < 10 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)}${rest}`;
  const whole = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), days],
    [Math.floor((whole % 86_400) / 3600), hours],
    [Math.floor((whole % 3600) / 60), minutes],
    [whole % 60, rest],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return `0${rest}`;
  const told = parts.slice(first, first + 2).filter(([value], place) => place === 0 || value > 0);
  return told.map(([value, unit]) => `${value}${unit}`).join(' ');
}

export function time(iso: string, locale: string, now = new Date()): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  // The year of what is of this year says nothing.
  const year = at.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  const parts = { year, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  return new Intl.DateTimeFormat(locale, parts).format(at);
}

/** The time of a day only, for lines of a log. */
export function clock(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toTimeString().slice(0, 8);
}

export function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}

/** A measured value: a few significant digits, in short where it is large, with its power of ten where it is very small. */
export function figure(value: number | null | undefined, digits = 4): string {
  if (value == null || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e6) return short(value);
  if (Number.isInteger(value)) return String(value);
  if (size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(digits)));
}

/** The end of an id, enough to tell it from its neighbours. */
export function shortId(id: string): string {
  const [kind, rest] = [id.slice(0, id.indexOf('-') + 1), id.slice(id.indexOf('-') + 1)];
  return rest.length > 10 ? `${kind}…${rest.slice(-6)}` : id;
}

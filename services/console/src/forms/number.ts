// Between what is typed and what the API takes. Pure.

/** A number; nothing where nothing was typed; and what is no number as it stands, for the API to name. */
export function number(typed: string): number | undefined {
  const text = typed.trim();
  if (text === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : (text as unknown as number);
}

/** What a field shows of a value of a specification. */
export function typed(value: number | null | undefined): string {
  return value == null ? '' : String(value);
}

/** `98,2,0` as the API's three shares; what is no such list as it stands. */
export function split(text: string): number[] | undefined {
  if (text.trim() === '') return undefined;
  return text.split(/[,，]/).map((part) => number(part) ?? ('' as unknown as number));
}

/** An object without what is undefined. */
export function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

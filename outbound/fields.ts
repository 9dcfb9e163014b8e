// Reads what somebody wrote, field by field: the first that is wrong is said, in one sentence.

import { ListenerError } from './errors.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** @throws ListenerError if it is no object */
export function toFields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new ListenerError(`${what} is not an object`);
}

/** @throws ListenerError if there are fields of other names */
export function checkFields(fields: Fields, names: readonly string[], what: string): void {
  const unknown = Object.keys(fields).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new ListenerError(`there is no "${unknown}" in ${what}, only ${names.join(', ')}`);
}

/** @throws ListenerError if it is not text, empty, or longer */
export function toText(value: unknown, what: string, lengthMax: number): string {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new ListenerError(`${what} is missing or not text`);
  }
  if (value.length <= lengthMax) return value;
  throw new ListenerError(`${what} is ${value.length} characters, at most ${lengthMax}`);
}

/** @throws ListenerError if it is neither true nor false */
export function toBoolean(value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new ListenerError(`${what} is neither true nor false`);
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** @throws ListenerError if it is no whole number within the bounds */
export function toInteger(value: unknown, what: string, { min, max }: Bounds): number {
  const isWithin = Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
  if (isWithin) return Number(value);
  throw new ListenerError(`${what} is not a whole number from ${min} to ${max}`);
}

/** @throws ListenerError if it is no list, or a longer one */
export function toList(value: unknown, what: string, lengthMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new ListenerError(`${what} is not a list`);
  if (value.length <= lengthMax) return value;
  throw new ListenerError(`${what} has ${value.length} entries, at most ${lengthMax}`);
}

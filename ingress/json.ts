// JSON of those who know what they send: it is JSON, all of it, or it is refused.

import { JSON_DEPTH_MAX } from '../events/first-json-value.ts';
import { RequestError } from './sources/source.ts';

/** @throws RequestError if the bytes are not UTF-8 */
export function parseText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new RequestError(`${what} is not UTF-8`, { cause: error });
  }
}

/** @throws RequestError if the bytes are not JSON in UTF-8, or nested too deeply */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  const text = parseText(bytes, what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RequestError(`${what} is not JSON`, { cause: error });
  }
  checkDepth(value, what);
  return value;
}

function checkDepth(value: unknown, what: string): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > JSON_DEPTH_MAX) {
      throw new RequestError(`${what} is nested deeper than ${JSON_DEPTH_MAX} levels`);
    }
    level = level.flatMap((held) =>
      typeof held === 'object' && held !== null ? Object.values(held) : [],
    );
  }
}

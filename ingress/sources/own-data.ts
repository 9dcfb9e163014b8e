// The data of an event that a function of the user's gives.

import { hasStoredBody } from '../../events/webhook-body.ts';
import { checkDepth } from './content.ts';

/**
 * The data as it will be read after its way through histories, whichever way that is.
 *
 * @throws RequestError if it is nested too deep
 * @throws TypeError if there is no JSON of it
 */
export function toOwnData(given: unknown, what: string): unknown {
  // Of a sender's own making: it is refused as any such data is.
  if (hasStoredBody(given)) return given;
  const json = toJsonText(given);
  if (json === undefined) throw new TypeError(`${what} is ${typeof given}`);
  const data: unknown = JSON.parse(json);
  checkDepth(data, json.length);
  if (!hasStoredBody(data)) return data;
  throw new TypeError(`${what}.body is the body of a request: give its text or json`);
}

function toJsonText(given: unknown): string | undefined {
  try {
    return JSON.stringify(given);
  } catch (error) {
    // It may be the sender's doing: too deep for the stack.
    if (error instanceof RangeError) checkDepth(given, Number.POSITIVE_INFINITY);
    throw error;
  }
}

// Who asks: the API key of a request, and whether it is for what is asked.

import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import { hashKey, idOfKey, type ApiKey } from '../../config/api-keys.ts';
import { ForbiddenError, UnauthorizedError } from '../problems.ts';

const BEARER = /^Bearer +([^\s,]+)$/i;

/** What keys are checked by. */
export class Authentication {
  readonly #keys: ReadonlyMap<string, ApiKey>;

  constructor(keys: readonly ApiKey[]) {
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  /**
   * The key of the request.
   *
   * @throws UnauthorizedError if it has none, or one that does not exist
   */
  keyOf({ headers }: IncomingMessage): ApiKey {
    const [, key] = BEARER.exec(headers.authorization ?? '') ?? [];
    if (key === undefined)
      throw new UnauthorizedError('send an API key: Authorization: Bearer ...');
    const known = this.#keys.get(idOfKey(key) ?? '');
    if (known === undefined || !isSame(hashKey(key), known.hash)) {
      throw new UnauthorizedError('the API key is not valid');
    }
    return known;
  }
}

/** @throws ForbiddenError if the key publishes nothing to the source */
export function checkPublisher({ role, sources = [], id }: ApiKey, source: string): void {
  if (role === 'publisher' && sources.includes(source)) return;
  throw new ForbiddenError(`the API key ${id} is not for publishing to ${JSON.stringify(source)}`);
}

/** @throws ForbiddenError if the key is not for what the role may do */
export function checkOperator({ role, id }: ApiKey, needed: 'reader' | 'admin'): void {
  if (role === needed || role === 'admin') return;
  throw new ForbiddenError(`the API key ${id} is of role ${role}, and this needs ${needed}`);
}

/** Whether a key is for the management API. */
export function isOperator({ role }: ApiKey): boolean {
  return role !== 'publisher';
}

/** Takes the same time whatever they have in common. Both are digests, and so as long. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

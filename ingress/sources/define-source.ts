import type { Duration } from '@temporalio/common';

import { ConfigError } from '../../config/errors.ts';
import { createSource, type Taking } from './create-source.ts';
import { createHandling, type HandlerOptions, type ResultOf } from './handler.ts';
import { toOwnData } from './own-data.ts';
import {
  resolveTolerance,
  signingSecret,
  TOLERANCE_DEFAULT,
  unsigned,
  type Scheme,
} from './scheme.ts';
import { resolveSecrets, type Secrets } from './secret.ts';
import type { SourceEvent } from './source-event.ts';
import { SigningError, type Draft, type Reply, type Source, type SourceRequest } from './source.ts';

/** A kind of source of one's own: it makes events by `toEvents`, or has a handler. */
export type SourceDefinition<Data = unknown> = VerifyingDefinition &
  (EventDefinition | HandlerDefinition<Data>);

/** What every kind of source says. */
export interface VerifyingDefinition {
  /** What it is called in the list of sources: text that is not empty. */
  readonly kind: string;
  /**
   * What `verify` needs. If all of it is in environment variables that are not set, the source is
   * off.
   *
   * @default nothing
   */
  readonly secret?: Secrets;
  /**
   * Whether the request is its sender's, from its raw bytes: `true`, or the time at which the
   * signature says that it was made. `false` and a `RejectedError` refuse it. `'none'` takes every
   * request from anyone who can send one.
   */
  readonly verify:
    | 'none'
    | ((
        request: SourceRequest,
        secrets: readonly string[],
      ) => boolean | Date | Promise<boolean | Date>);
  /**
   * How far the time that `verify` gives may be from now, both ways.
   *
   * @default 5 minutes
   */
  readonly tolerance?: Duration;
  /**
   * The answer to a verified request that is a question and no event.
   *
   * @default every request is an event
   */
  readonly handshake?: (request: SourceRequest, secrets: readonly string[]) => Reply | undefined;
  /**
   * The request as the sender would sign it, for `nextevent send`.
   *
   * @default it can not be signed
   */
  readonly sign?: (draft: Draft, secret: string) => Draft;
}

/** A kind of source that makes events of a request. */
export interface EventDefinition {
  /**
   * The events of a verified request, up to 5,000. The sender is answered once all of them are
   * durable. Each needs an `id` that is the same whenever the request is sent again: then a request
   * that was half done is safe to repeat.
   */
  readonly toEvents: (request: SourceRequest) => SourceEvent | readonly SourceEvent[];
  /**
   * What the sender has to hear once the events are durable.
   *
   * @default 202 with the ids of the events
   */
  readonly acknowledge?: (request: SourceRequest) => Reply;
  readonly handler?: undefined;
}

/** A kind of source whose handler says what a request is, and what its sender hears. */
export interface HandlerDefinition<Data> extends HandlerOptions<Data> {
  readonly toEvents?: undefined;
  readonly acknowledge?: undefined;
}

/**
 * A kind of source of one's own. The way of a request is that of every source: size, raw bytes,
 * `verify`, `handshake`, freshness, `toEvents`, and 202 once all events are durable. With a `handler`
 * in the place of `toEvents`, it is what the handler says, and what the handler answers.
 *
 * @throws ConfigError if something is missing or malformed
 *
 * @example
 * const source = defineSource({
 *   kind: 'warehouse',
 *   secret: env('WAREHOUSE_SECRET'),
 *   verify: ({ headers, body }, secrets) =>
 *     secrets.some((secret) => {
 *       const expected = createHmac('sha256', secret).update(body).digest();
 *       const given = Buffer.from(headers['x-warehouse-signature'] ?? '', 'hex');
 *       return given.length === expected.length && timingSafeEqual(given, expected);
 *     }),
 *   toEvents: ({ body }) => ({ type: 'stock', data: JSON.parse(Buffer.from(body).toString()) }),
 * });
 */
export function defineSource<Data = unknown>(
  definition: SourceDefinition<Data>,
): Source<ResultOf<Data>>;
export function defineSource(definition: SourceDefinition): Source {
  const { kind, handshake } = definition;
  check(typeof kind === 'string' && kind !== '', 'kind is empty');
  const secrets = definition.secret;
  const { values, missing } =
    secrets === undefined
      ? { values: [], missing: [] }
      : resolveSecrets(secrets, `${kind}: secret`);
  return createSource({
    kind,
    scheme: toScheme(definition, { values, missing }),
    toleranceMs: resolveTolerance(definition.tolerance ?? TOLERANCE_DEFAULT, kind),
    ...(handshake && { handshake: (request) => handshake(request, values) }),
    ...toTaking(definition),
  });
}

/** What becomes of a request that is verified and fresh. */
function toTaking(definition: SourceDefinition): Taking {
  if (definition.handler !== undefined) {
    check(definition.toEvents === undefined, 'there is a handler and toEvents');
    return { handle: createHandling(definition, definition) };
  }
  const { toEvents, acknowledge } = definition;
  check(typeof toEvents === 'function', 'toEvents is not a function');
  return {
    toEvents(request) {
      const events = toEvents(request);
      return (isList(events) ? events : [events]).map(toPlain);
    },
    ...(acknowledge && { acknowledge }),
  };
}

function toScheme(
  { kind, verify, sign }: VerifyingDefinition,
  { values, missing }: { readonly values: readonly string[]; readonly missing: readonly string[] },
): Scheme | undefined {
  check(
    verify === 'none' || typeof verify === 'function',
    "verify is neither a function nor 'none'",
  );
  if (verify === 'none') return undefined;
  return {
    missing,
    async verify(request) {
      const verified: unknown = await verify(request, values);
      if (verified instanceof Date) return verified;
      // Anything but true is no yes.
      if (verified === true) return undefined;
      throw unsigned();
    },
    sign(draft) {
      if (sign === undefined) throw new SigningError(`${kind} does not say how it is signed`);
      return sign(draft, values.length === 0 ? '' : signingSecret(values, kind));
    },
  };
}

function toPlain({ type, data, id, subject }: SourceEvent): SourceEvent {
  return { type, data: toOwnData(data, 'data'), id, subject };
}

function isList(events: SourceEvent | readonly SourceEvent[]): events is readonly SourceEvent[] {
  return Array.isArray(events);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new ConfigError(`defineSource: ${message}`);
}

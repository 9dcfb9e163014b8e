import type { Duration } from '@temporalio/common';

import { ConfigError } from '../../config/errors.ts';
import { createSource, type SourceSettings } from './create-source.ts';
import { checkHeaderName } from './event-place.ts';
import { toGenericEvent, type EventPlaces } from './generic-event.ts';
import { hmacScheme, type HmacSettings } from './hmac-scheme.ts';
import { isUnverified, resolveTolerance, TOLERANCE_DEFAULT } from './scheme.ts';
import type { SecretOptions, Unverified } from './secret.ts';
import type { Source } from './source.ts';

/** Where the time of a signature is. */
export interface HmacTimestamp {
  /** The header with the time. What it says is signed before the body. */
  readonly header: string;
  /** @default 'seconds' */
  readonly unit?: 'seconds' | 'milliseconds';
  /**
   * What stands between the time and the body in what is signed.
   *
   * @default '.'
   */
  readonly separator?: string;
}

/** The settings of a source whose sender signs in a way of its own. */
export type HmacOptions = EventPlaces & (Unverified | HmacSecretOptions);

/** What a sender signs, and how. */
export interface HmacSecretOptions extends SecretOptions {
  /** The header with the signature. */
  readonly header: string;
  /** @default 'sha256' */
  readonly algorithm?: 'sha1' | 'sha256' | 'sha512';
  /** @default 'hex', in lower case */
  readonly encoding?: 'hex' | 'base64';
  /**
   * What stands before the signature in the header, such as `sha256=`.
   *
   * @default nothing
   */
  readonly prefix?: string;
  /** @default the body alone is signed: a request holds for ever */
  readonly timestamp?: HmacTimestamp;
  /**
   * How far the time of the signature may be from now, both ways.
   *
   * @default 5 minutes
   */
  readonly tolerance?: Duration;
}

/**
 * A sender that puts an HMAC of the raw body into a header.
 *
 * The event's data is the body: JSON, or the fields of a form.
 *
 * @throws ConfigError if there is no secret, or an option is malformed
 *
 * @example
 * const source = hmac({
 *   secret: env('WAREHOUSE_SECRET'),
 *   header: 'x-warehouse-signature',
 *   prefix: 'sha256=',
 *   timestamp: { header: 'x-warehouse-time' },
 *   eventType: { json: 'kind' },
 *   eventId: { json: 'id' },
 * });
 */
export function hmac(options: HmacOptions): Source {
  return createSource({
    kind: 'hmac',
    ...(isUnverified(options) ? { scheme: undefined } : toScheme(options)),
    toEvents: toGenericEvent(options, 'hmac'),
  });
}

function toScheme(options: HmacSecretOptions): Pick<SourceSettings, 'scheme' | 'toleranceMs'> {
  const { header, algorithm = 'sha256', encoding = 'hex', prefix = '', timestamp } = options;
  checkHeaderName(header, 'hmac: header');
  checkOneOf(algorithm, ['sha1', 'sha256', 'sha512'], 'algorithm');
  checkOneOf(encoding, ['hex', 'base64'], 'encoding');
  return {
    scheme: hmacScheme(options.secret, {
      kind: 'hmac',
      header: header.toLowerCase(),
      prefix,
      digest: { algorithm, encoding },
      ...(timestamp && { timestamp: toTimestamp(timestamp) }),
    }),
    toleranceMs: resolveTolerance(options.tolerance ?? TOLERANCE_DEFAULT, 'hmac'),
  };
}

function toTimestamp({
  header,
  unit = 'seconds',
  separator = '.',
}: HmacTimestamp): NonNullable<HmacSettings['timestamp']> {
  checkHeaderName(header, 'hmac: timestamp.header');
  checkOneOf(unit, ['seconds', 'milliseconds'], 'timestamp.unit');
  return { header: header.toLowerCase(), unit, before: (time) => `${time}${separator}` };
}

function checkOneOf(value: string, values: readonly string[], what: string): void {
  if (values.includes(value)) return;
  throw new ConfigError(`hmac: ${what} is "${value}", must be ${values.join(' or ')}`);
}

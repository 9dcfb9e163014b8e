import type { Duration } from '@temporalio/common';

import { textAt, toObject, typeAt, valueAt } from './content.ts';
import { createSource } from './create-source.ts';
import { hmacOf, hmacScheme, type HmacSettings } from './hmac-scheme.ts';
import { isEqual, isUnverified, resolveTolerance, TOLERANCE_DEFAULT } from './scheme.ts';
import { resolveSecrets, type SecretOptions, type Unverified } from './secret.ts';
import { hashId } from './source-event.ts';
import { RejectedError, type Reply, type Source, type SourceRequest } from './source.ts';

/** The settings of a Zoom source. */
export type ZoomOptions = (SecretOptions | Unverified) & {
  /**
   * How far the time of the signature may be from now, both ways.
   *
   * @default 5 minutes
   */
  readonly tolerance?: Duration;
};

const SIGNATURE = 'x-zm-signature';
const TIME = 'x-zm-request-timestamp';
const DIGEST = { algorithm: 'sha256', encoding: 'hex' } as const;

/** Nothing that is signed otherwise looks like this. */
const PLAIN_TOKEN = /^[\w=+/-]{1,256}$/;

const SETTINGS: HmacSettings = {
  kind: 'zoom',
  header: SIGNATURE,
  prefix: 'v0=',
  digest: DIGEST,
  timestamp: { header: TIME, unit: 'seconds', before: (time) => `v0:${time}:` },
};

/**
 * Webhooks of Zoom.
 *
 * Time and body are verified by `x-zm-signature`; the validation of the address, which Zoom repeats
 * every three days, is answered. The event's type is `event` in the body
 * (`meeting.started`), its data the body. Zoom has no ids of events: the id is a hash of the body,
 * which says when it happened to the millisecond.
 *
 * @throws ConfigError if there is no secret
 *
 * @example
 * const source = zoom({ secret: env('ZOOM_WEBHOOK_SECRET_TOKEN') });
 */
export function zoom(options: ZoomOptions): Source {
  const isOpen = isUnverified(options);
  const secrets = isOpen ? [] : resolveSecrets(options.secret, 'zoom: secret').values;
  return createSource({
    kind: 'zoom',
    scheme: isOpen ? undefined : hmacScheme(options.secret, SETTINGS),
    toleranceMs: resolveTolerance(options.tolerance ?? TOLERANCE_DEFAULT, 'zoom'),
    handshake: (request) => handshake(request, secrets),
    toEvents({ body }) {
      const data = toObject(body);
      return [{ type: typeAt(data, 'event'), data, id: hashId(body) }];
    },
    acknowledge: () => ({ status: 200 }),
  });
}

function handshake(request: SourceRequest, secrets: readonly string[]): Reply | undefined {
  const data = toObject(request.body);
  if (valueAt(data, 'event') !== 'endpoint.url_validation') return undefined;
  const plainToken = textAt(valueAt(data, 'payload'), 'plainToken');
  const secret = secrets.find((one) => isSignedWith(request, one));
  if (plainToken === undefined || !PLAIN_TOKEN.test(plainToken) || secret === undefined) {
    throw new RejectedError('HANDSHAKE', 'there is no plainToken that can be answered');
  }
  return { body: { plainToken, encryptedToken: hmacOf([plainToken], secret, DIGEST) } };
}

/** Of several secrets, Zoom expects its answer by the one that it signed with. */
function isSignedWith({ headers, body }: SourceRequest, secret: string): boolean {
  const expected = `v0=${hmacOf([`v0:${headers[TIME] ?? ''}:`, body], secret, DIGEST)}`;
  return isEqual(headers[SIGNATURE] ?? '', expected);
}

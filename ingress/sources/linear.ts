import type { Duration } from '@temporalio/common';

import { eventHeader, toObject, typeAt, valueAt } from './content.ts';
import { createSource } from './create-source.ts';
import { hmacScheme } from './hmac-scheme.ts';
import { isUnverified, resolveTolerance } from './scheme.ts';
import type { SecretOptions, Unverified } from './secret.ts';
import { RejectedError, type Source, type SourceRequest } from './source.ts';

/** The settings of a Linear source. */
export type LinearOptions = (SecretOptions | Unverified) & {
  /**
   * How far `webhookTimestamp` may be from now, both ways.
   *
   * @default 1 minute
   */
  readonly tolerance?: Duration;
};

/**
 * Webhooks of Linear.
 *
 * The body is verified by `Linear-Signature`, the time by `webhookTimestamp` in it. The event's type
 * is `type` in the body (`Issue`), what was done to it is `data.action`; its id is
 * `Linear-Delivery`, which no signature is over; its data the body.
 *
 * @throws ConfigError if there is no secret
 *
 * @example
 * const source = linear({ secret: env('LINEAR_WEBHOOK_SECRET') });
 */
export function linear(options: LinearOptions): Source {
  return createSource({
    kind: 'linear',
    scheme: isUnverified(options)
      ? undefined
      : hmacScheme(options.secret, {
          kind: 'linear',
          header: 'linear-signature',
          prefix: '',
          digest: { algorithm: 'sha256', encoding: 'hex' },
          signedAt,
        }),
    toleranceMs: resolveTolerance(options.tolerance ?? '1 minute', 'linear'),
    toEvents(request) {
      const data = toObject(request.body);
      return [{ type: typeAt(data, 'type'), data, id: eventHeader(request, 'linear-delivery') }];
    },
    acknowledge: () => ({ status: 200 }),
  });
}

function signedAt({ body }: SourceRequest): Date {
  const ms = valueAt(toObject(body), 'webhookTimestamp');
  if (typeof ms === 'number') return new Date(ms);
  throw new RejectedError('TIMESTAMP', 'the body has no webhookTimestamp');
}

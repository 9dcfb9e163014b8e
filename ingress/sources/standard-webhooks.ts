import type { Duration } from '@temporalio/common';

import { textAt, toJson } from './content.ts';
import { createSource } from './create-source.ts';
import { checkPlace, placed, type EventTypePlace } from './event-place.ts';
import { isUnverified, resolveTolerance, TOLERANCE_DEFAULT } from './scheme.ts';
import type { SecretOptions, Unverified } from './secret.ts';
import type { Source } from './source.ts';
import { familyOf, standardScheme } from './standard-scheme.ts';

/** The settings of a source of Standard Webhooks. */
export type StandardWebhooksOptions = (SecretOptions | Unverified) & {
  /**
   * How far the time of the signature may be from now, both ways.
   *
   * @default 5 minutes
   */
  readonly tolerance?: Duration;
  /**
   * Where the type of the event is.
   *
   * @default `type` or `event_type` in the body, else the HTTP method in lower case
   */
  readonly eventType?: EventTypePlace;
};

/**
 * Senders that follow Standard Webhooks: Svix, Clerk, Resend, OpenAI and many more. Their headers
 * are called `webhook-*` or `svix-*`.
 *
 * Id, time and body are verified with a secret (`whsec_...`) or a public key (`whpk_...`). The
 * event's id is `webhook-id`, its data the body.
 *
 * @throws ConfigError if a secret is none, or an option is malformed
 *
 * @example
 * const source = standardWebhooks({ secret: env('CLERK_WEBHOOK_SECRET') });
 */
export function standardWebhooks(options: StandardWebhooksOptions): Source {
  const kind = 'standardWebhooks';
  checkPlace(options.eventType, `${kind}: eventType`);
  return createSource({
    kind,
    scheme: isUnverified(options) ? undefined : standardScheme(options.secret, kind),
    toleranceMs: resolveTolerance(options.tolerance ?? TOLERANCE_DEFAULT, kind),
    toEvents(request) {
      const data = toJson(request.body);
      const type =
        placed(request, options.eventType, 'event type') ??
        textAt(data, 'type') ??
        textAt(data, 'event_type') ??
        request.method.toLowerCase();
      return [{ type, data, id: request.headers[`${familyOf(request)}-id`] }];
    },
  });
}

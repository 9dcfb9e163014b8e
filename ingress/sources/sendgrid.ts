import { createPublicKey } from 'node:crypto';

import type { Duration } from '@temporalio/common';

import { isObject, textAt, toJson, typeAt, type Content } from './content.ts';
import { createSource } from './create-source.ts';
import { publicKeyScheme, type PublicKeyOptions } from './public-key-scheme.ts';
import { isUnverified, resolveTolerance } from './scheme.ts';
import type { Unverified } from './secret.ts';
import { hashId, type SourceEvent } from './source-event.ts';
import { RequestError, type Source } from './source.ts';

/** The settings of a SendGrid source. */
export type SendgridOptions = (PublicKeyOptions | Unverified) & {
  /**
   * How far the time of the signature may be from now, both ways. SendGrid tries for a day to
   * deliver an event; what comes again within that time is known by its id.
   *
   * @default 25 hours
   */
  readonly tolerance?: Duration;
};

/**
 * The Event Webhook of SendGrid.
 *
 * Time and body are verified by `X-Twilio-Email-Event-Webhook-Signature`. A body holds several
 * events: the type of each is `event` (`delivered`), its id `sg_event_id`, its data that item of
 * the body.
 *
 * @throws ConfigError if there is no public key, or it is none
 *
 * @example
 * const source = sendgrid({ publicKey: env('SENDGRID_PUBLIC_KEY') });
 */
export function sendgrid(options: SendgridOptions): Source {
  return createSource({
    kind: 'sendgrid',
    scheme: isUnverified(options)
      ? undefined
      : publicKeyScheme(options.publicKey, {
          kind: 'sendgrid',
          header: 'x-twilio-email-event-webhook-signature',
          timestamp: 'x-twilio-email-event-webhook-timestamp',
          encoding: 'base64',
          pattern: /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
          algorithm: 'sha256',
          toKey: (base64) =>
            createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' }),
        }),
    toleranceMs: resolveTolerance(options.tolerance ?? '25 hours', 'sendgrid'),
    toEvents: ({ body }) => toItems(body).map(toEvent),
  });
}

function toItems(body: Uint8Array): readonly Content[] {
  const items = toJson(body);
  if (Array.isArray(items) && items.every(isObject)) return items;
  throw new RequestError('the body is not a list of events');
}

function toEvent(data: Content): SourceEvent {
  const id = textAt(data, 'sg_event_id') ?? hashId(JSON.stringify(data));
  return { type: typeAt(data, 'event'), data, id };
}

import { createPublicKey, type KeyObject } from 'node:crypto';

import type { Duration } from '@temporalio/common';

import { textAt, toObject, typeAt, valueAt, type Content } from './content.ts';
import { createSource } from './create-source.ts';
import { publicKeyScheme, type PublicKeyOptions } from './public-key-scheme.ts';
import { isUnverified, resolveTolerance, TOLERANCE_DEFAULT } from './scheme.ts';
import type { Unverified } from './secret.ts';
import { hashId, type SourceEvent } from './source-event.ts';
import { RequestError, type Reply, type Source, type SourceRequest } from './source.ts';

/** The settings of a Discord source. */
export type DiscordOptions = (PublicKeyOptions | Unverified) & {
  /**
   * How far the time of the signature may be from now, both ways.
   *
   * @default 5 minutes
   */
  readonly tolerance?: Duration;
};

/** What DER has before the 32 bytes of an ed25519 key. */
const KEY_DER = Buffer.from('302a300506032b6570032100', 'hex');

/** The types of interactions, by Discord's numbers. 1 is a ping. */
const INTERACTIONS: ReadonlyMap<unknown, string> = new Map([
  [2, 'application_command'],
  [3, 'message_component'],
  [4, 'application_command_autocomplete'],
  [5, 'modal_submit'],
]);

/** Answers to interactions that leave everything to what comes later, by Discord's numbers. */
const LATER = {
  application_command: { type: 5 },
  message_component: { type: 6 },
  application_command_autocomplete: { type: 8, data: { choices: [] } },
  modal_submit: { type: 5 },
} as const;

/**
 * Apps of Discord: interactions, and webhook events.
 *
 * Time and body are verified by `X-Signature-Ed25519`; pings are answered. The event's type is that
 * of the interaction (`application_command`) or of the webhook event
 * (`APPLICATION_AUTHORIZED`); its id is that of the interaction, or a hash of the body; its data
 * the body. Interactions are answered as deferred: the workflow has 15 minutes to follow up with
 * `data.token`.
 *
 * @throws ConfigError if there is no public key, or it is none
 *
 * @example
 * const source = discord({ publicKey: env('DISCORD_PUBLIC_KEY') });
 */
export function discord(options: DiscordOptions): Source {
  return createSource({
    kind: 'discord',
    scheme: isUnverified(options)
      ? undefined
      : publicKeyScheme(options.publicKey, {
          kind: 'discord',
          header: 'x-signature-ed25519',
          timestamp: 'x-signature-timestamp',
          encoding: 'hex',
          pattern: /^[0-9a-f]{128}$/,
          algorithm: null,
          toKey,
        }),
    toleranceMs: resolveTolerance(options.tolerance ?? TOLERANCE_DEFAULT, 'discord'),
    handshake,
    toEvents: ({ body }) => [toEvent(body)],
    acknowledge,
  });
}

function toKey(hex: string): KeyObject {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new RangeError('not 32 bytes as hex');
  const key = Buffer.concat([KEY_DER, Buffer.from(hex, 'hex')]);
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

function handshake({ body }: SourceRequest): Reply | undefined {
  const data = toObject(body);
  const type = valueAt(data, 'type');
  if (isWebhookEvent(data)) return type === 0 ? { status: 204, body: '' } : undefined;
  return type === 1 ? { body: { type: 1 } } : undefined;
}

/** Their types are numbers, too: 0 is a ping, 1 an event. Only these have a version of 1 and no id. */
function isWebhookEvent(data: Content): boolean {
  return textAt(data, 'id') === undefined && valueAt(data, 'version') === 1;
}

function toEvent(body: Uint8Array): SourceEvent {
  const data = toObject(body);
  if (isWebhookEvent(data)) {
    return { type: typeAt(valueAt(data, 'event'), 'type'), data, id: hashId(body) };
  }
  const type = INTERACTIONS.get(valueAt(data, 'type'));
  if (type === undefined) throw new RequestError('the body is no interaction that is known');
  return { type, data, id: typeAt(data, 'id') };
}

function acknowledge({ body }: SourceRequest): Reply {
  const type = INTERACTIONS.get(valueAt(toObject(body), 'type'));
  return type !== undefined && isLater(type) ? { body: LATER[type] } : { status: 204, body: '' };
}

function isLater(type: string): type is keyof typeof LATER {
  return Object.hasOwn(LATER, type);
}

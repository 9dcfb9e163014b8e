import { createHash } from 'node:crypto';

import { ConfigError } from '../../config/errors.ts';
import { joinRepeated } from '../../events/webhook-body.ts';
import {
  eventHeader,
  isForm,
  isObject,
  textAt,
  toContent,
  toFields,
  typeAt,
  without,
  type Content,
} from './content.ts';
import { createSource } from './create-source.ts';
import { hmacOf } from './hmac-scheme.ts';
import {
  isEqual,
  isOneOf,
  isUnverified,
  signatureHeader,
  signingSecret,
  unsigned,
  type Scheme,
} from './scheme.ts';
import { resolveSecrets, type Secret, type Secrets, type Unverified } from './secret.ts';
import type { SourceEvent } from './source-event.ts';
import { RequestError, type Source, type SourceRequest } from './source.ts';

/** The settings of a Twilio source. */
export type TwilioOptions =
  | Unverified
  | {
      readonly verify?: undefined;
      /** The auth token of the account. */
      readonly authToken: Secrets;
      /**
       * The address of this source as Twilio was told it, up to the source's name:
       * `https://hooks.example.com/webhooks/twilio`. Twilio signs it.
       */
      readonly url: Secret;
    };

const HEADER = 'x-twilio-signature';
const DIGEST = { algorithm: 'sha1', encoding: 'base64' } as const;

/** A body that is no form has its hash in the address. */
const BODY_HASH = 'bodySHA256';

/**
 * Webhooks of Twilio: calls, messages, their status, and Event Streams.
 *
 * Address and fields are verified by `X-Twilio-Signature`. The event's type is `message.<status>`,
 * `call.<status>`, or what the fields or the events of a stream say; its id is
 * `I-Twilio-Idempotency-Token`, which no signature is over, or that in the stream; its data the
 * fields. The answer is TwiML that does nothing.
 *
 * @throws ConfigError if there is no token, or `url` is no address
 *
 * @example
 * const source = twilio({
 *   authToken: env('TWILIO_AUTH_TOKEN'),
 *   url: 'https://hooks.example.com/webhooks/twilio',
 * });
 */
export function twilio(options: TwilioOptions): Source {
  return createSource({
    kind: 'twilio',
    scheme: isUnverified(options) ? undefined : toScheme(options.authToken, options.url),
    toEvents,
    acknowledge: () => ({
      status: 200,
      headers: { 'Content-Type': 'text/xml; charset=utf-8' },
      body: '<Response/>',
    }),
  });
}

function toScheme(authToken: Secrets, url: Secret): Scheme {
  const tokens = resolveSecrets(authToken, 'twilio: authToken');
  const places = resolveSecrets(url, 'twilio: url');
  const addresses = places.values.flatMap(withAndWithoutPort);
  return {
    missing: [...tokens.missing, ...places.missing],
    verify(request) {
      const given = signatureHeader(request, HEADER);
      const fields = signedFields(request);
      const expected = tokens.values.flatMap((token) =>
        addresses.map((address) => hmacOf([address, suffixOf(request), fields], token, DIGEST)),
      );
      if (!isOneOf(given, expected)) throw unsigned();
      return undefined;
    },
    sign(draft) {
      const body = Buffer.from(draft.body);
      const hasForm = isForm({ ...draft, body });
      const hash = hasForm ? '' : `?${BODY_HASH}=${sha256(body)}`;
      const suffix = `${draft.suffix}${hash}`;
      const fields = hasForm ? inOrder(toFields(body)) : '';
      const token = signingSecret(tokens.values, 'twilio');
      const signature = hmacOf([`${places.values[0] ?? ''}${suffix}`, fields], token, DIGEST);
      return { ...draft, suffix, headers: { ...draft.headers, [HEADER]: signature } };
    },
  };
}

/** Twilio adds the usual port when it signs, or leaves it out. */
function withAndWithoutPort(address: string): readonly string[] {
  const [, start, host, port, path] =
    /^(https?:\/\/(?:[^@/?#]*@)?)(\[[^\]]+\]|[^:/?#]+)(?::(\d+))?([^?#]*)$/i.exec(address) ?? [];
  if (start === undefined || host === undefined || path === undefined) {
    throw new ConfigError('twilio: url is no address that begins with https://, without a query');
  }
  const usual = start.toLowerCase().startsWith('https') ? '443' : '80';
  return [`${start}${host}${path}`, `${start}${host}:${port ?? usual}${path}`];
}

/** What follows the source's name in the address, exactly as it came. */
function suffixOf({ url }: SourceRequest): string {
  return url.raw.replace(/^\/webhooks\/[^/?]*/, '');
}

/** The fields, as they are signed behind the address. */
function signedFields(request: SourceRequest): string {
  const { body } = request;
  const hash = request.url.query[BODY_HASH];
  if (hash !== undefined) {
    if (isEqual(hash.toLowerCase(), sha256(body))) return '';
    throw unsigned(`the body is not that of ${BODY_HASH}`);
  }
  if (body.length === 0) return '';
  if (isForm(request)) return inOrder(toFields(body));
  throw unsigned(`the body is no form, and ${BODY_HASH} is missing`);
}

function inOrder(fields: URLSearchParams): string {
  // Not by `getAll`, which looks through all fields, for each of their names.
  const valuesOf = new Map<string, Set<string>>();
  for (const [name, value] of fields) {
    const values = valuesOf.get(name);
    if (values === undefined) valuesOf.set(name, new Set([value]));
    else values.add(value);
  }
  return [...valuesOf]
    .toSorted(([one], [other]) => byCode(one, other))
    .flatMap(([name, values]) => [...values].toSorted(byCode).map((value) => name + value))
    .join('');
}

/** As Twilio sorts: by code, not by language. */
function byCode(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function sha256(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

function toEvents(request: SourceRequest): readonly SourceEvent[] {
  const id = eventHeader(request, 'i-twilio-idempotency-token');
  if (request.body.length === 0) {
    const data = without(request.url.query, [BODY_HASH]);
    return [{ type: typeOf(data), data, id }];
  }
  const content = isForm(request) ? joinRepeated(toFields(request.body)) : toContent(request);
  if (isObject(content)) return [{ type: typeOf(content), data: content, id }];
  if (Array.isArray(content) && content.every(isObject)) return content.map(toStreamEvent);
  throw new RequestError('the body is neither fields nor a list of events');
}

/** Of Event Streams, which are CloudEvents. */
function toStreamEvent(data: Content): SourceEvent {
  return { type: typeAt(data, 'type'), data, id: typeAt(data, 'id') };
}

function typeOf(fields: Content): string {
  const said = textAt(fields, 'EventType') ?? textAt(fields, 'type');
  if (said !== undefined) return said;
  const message = textAt(fields, 'MessageStatus') ?? textAt(fields, 'SmsStatus');
  if (message !== undefined) return `message.${message}`;
  const call = textAt(fields, 'CallStatus');
  return call === undefined ? 'request' : `call.${call}`;
}

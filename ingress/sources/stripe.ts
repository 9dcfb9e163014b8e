import type { Duration } from '@temporalio/common';

import { textAt, toObject, typeAt } from './content.ts';
import { createSource } from './create-source.ts';
import { hmacOf } from './hmac-scheme.ts';
import {
  isOneOf,
  isUnverified,
  resolveTolerance,
  signatureHeader,
  signingSecret,
  TOLERANCE_DEFAULT,
  toUnixSeconds,
  unsigned,
  type Scheme,
} from './scheme.ts';
import { resolveSecrets, type SecretOptions, type Secrets, type Unverified } from './secret.ts';
import type { Source } from './source.ts';

/** The settings of a Stripe source. */
export type StripeOptions = (SecretOptions | Unverified) & {
  /**
   * How far the time of the signature may be from now, both ways.
   *
   * @default 5 minutes
   */
  readonly tolerance?: Duration;
};

const HEADER = 'stripe-signature';
const DIGEST = { algorithm: 'sha256', encoding: 'hex' } as const;

/** How many signatures of one request are looked at. */
const SIGNATURES_MAX = 16;

/**
 * Webhooks of Stripe.
 *
 * Time and body are verified by `Stripe-Signature`. The event's type and id are `type` and `id` in
 * the body, its data is the body: what happened is in `data.data.object`.
 *
 * @throws ConfigError if there is no secret
 *
 * @example
 * const source = stripe({ secret: env('STRIPE_WEBHOOK_SECRET') });
 */
export function stripe(options: StripeOptions): Source {
  return createSource({
    kind: 'stripe',
    scheme: isUnverified(options) ? undefined : stripeScheme(options.secret),
    toleranceMs: resolveTolerance(options.tolerance ?? TOLERANCE_DEFAULT, 'stripe'),
    toEvents({ body }) {
      const data = toObject(body);
      return [{ type: typeAt(data, 'type'), data, id: textAt(data, 'id') }];
    },
  });
}

function stripeScheme(secret: Secrets): Scheme {
  const { values, missing } = resolveSecrets(secret, 'stripe: secret');
  return {
    missing,
    verify(request) {
      const { time, signatures } = parse(signatureHeader(request, HEADER));
      const expected = values.map((value) => hmacOf([`${time}.`, request.body], value, DIGEST));
      if (!signatures.some((signature) => isOneOf(signature, expected))) throw unsigned();
      return new Date(Number(time) * 1_000);
    },
    sign(draft, { at }) {
      const time = toUnixSeconds(at);
      const signature = hmacOf([`${time}.`, draft.body], signingSecret(values, 'stripe'), DIGEST);
      const headers = { [HEADER]: `t=${time},v1=${signature}` };
      return { ...draft, headers: { ...draft.headers, ...headers } };
    },
  };
}

/** `t=1700000000,v1=...,v1=...`, and schemes that do not count, such as `v0`. */
function parse(header: string): { readonly time: string; readonly signatures: readonly string[] } {
  const items = header.split(',').map((item) => /^([^=]+)=(.*)$/s.exec(item) ?? []);
  const of = (name: string): readonly string[] =>
    items.filter(([, key]) => key === name).map(([, , value = '']) => value);
  const [[time, ...otherTimes], signatures] = [of('t'), of('v1')];
  const isTime = time !== undefined && otherTimes.length === 0 && /^[1-9]\d{0,11}$/.test(time);
  if (!isTime || signatures.length === 0 || signatures.length > SIGNATURES_MAX) {
    throw unsigned(`the header ${HEADER} is malformed`);
  }
  return { time, signatures };
}

// Standard Webhooks, and what it was before: the same with headers called svix-*.

import { ConfigError } from '../../config/errors.ts';
import { KeyError, toSign, toVerify } from '../../events/signature.ts';
import { resolveSecrets, type Secrets } from './secret.ts';
import {
  signatureHeader,
  signingSecret,
  timestampHeader,
  toUnixSeconds,
  unsigned,
  type Scheme,
} from './scheme.ts';
import { SigningError, type SourceRequest } from './source.ts';

/** How many signatures of one request are looked at: verifying takes its time. */
const SIGNATURES_MAX = 16;

/** Headers that belong together begin alike. */
const FAMILIES = ['webhook', 'svix'] as const;

/** A request to which one of these secrets or public keys fits. */
export function standardScheme(secret: Secrets, kind: string): Scheme {
  const { values, missing } = resolveSecrets(secret, `${kind}: secret`);
  const keys = values.map((value) =>
    orKeyError(
      () => toVerify(value),
      (message) => new ConfigError(`${kind}: ${message}`),
    ),
  );
  return {
    missing,
    verify(request) {
      const family = familyOf(request);
      const id = signatureHeader(request, `${family}-id`);
      const given = signatureHeader(request, `${family}-signature`).split(' ');
      const { text, at } = timestampHeader(request, `${family}-timestamp`);
      const parts = [`${id}.${text}.`, request.body];
      if (given.length > SIGNATURES_MAX) throw unsigned('there are too many signatures');
      if (!given.some((one) => keys.some((fits) => fits(one, parts)))) throw unsigned();
      return at;
    },
    sign(draft, { id, at, privateKey }) {
      const time = toUnixSeconds(at);
      const parts = [`${id}.${time}.`, draft.body];
      const key = privateKey ?? signingSecret(values, kind);
      const signature = orKeyError(
        () => toSign(key)(parts),
        (message) => new SigningError(`${kind}: ${message}`),
      );
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': time,
        'webhook-signature': signature,
      };
      return { ...draft, headers: { ...draft.headers, ...headers } };
    },
  };
}

/** The headers of the request that are signed, and say which message it is. */
export function familyOf({ headers }: SourceRequest): (typeof FAMILIES)[number] {
  return FAMILIES.find((family) => headers[`${family}-signature`] !== undefined) ?? 'webhook';
}

/** What is made of a key, or the error that its user throws when it is none. */
function orKeyError<T>(make: () => T, toError: (message: string) => Error): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof KeyError ? toError(error.message) : error;
  }
}

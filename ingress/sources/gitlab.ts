import type { Duration } from '@temporalio/common';

import { ConfigError } from '../../config/errors.ts';
import { eventHeader, textAt, toObject, typeAt } from './content.ts';
import { createSource } from './create-source.ts';
import {
  isOneOf,
  isUnverified,
  resolveTolerance,
  signatureHeader,
  signingSecret,
  TOLERANCE_DEFAULT,
  unsigned,
  type Scheme,
} from './scheme.ts';
import { resolveSecrets, type Secrets, type Unverified } from './secret.ts';
import type { Source } from './source.ts';
import { familyOf, standardScheme } from './standard-scheme.ts';

/** The settings of a GitLab source: a signing token, a secret token, or both for a while. */
export type GitlabOptions =
  | Unverified
  | {
      readonly verify?: undefined;
      /** The signing token, `whsec_...`: GitLab signs id, time and body with it. */
      readonly secret: Secrets;
      /**
       * The secret token of webhooks that have no signing token yet. It is sent along as it is.
       *
       * @default what is not signed is refused
       */
      readonly token?: Secrets;
      /**
       * How far the time of the signature may be from now, both ways.
       *
       * @default 5 minutes
       */
      readonly tolerance?: Duration;
    }
  | {
      readonly verify?: undefined;
      readonly secret?: undefined;
      /** The secret token, which GitLab sends along as it is: nothing is signed. */
      readonly token: Secrets;
      readonly tolerance?: undefined;
    };

const TOKEN_HEADER = 'x-gitlab-token';

/**
 * Webhooks of GitLab.
 *
 * With `secret` id, time and body are verified, with `token` alone only that the sender knows it.
 * The event's type is `object_kind` in the body, or `event_name` of a system hook; its id is
 * `webhook-id`, else `Idempotency-Key`, and its data the body.
 *
 * @throws ConfigError if there is neither a secret nor a token
 *
 * @example
 * const source = gitlab({ secret: env('GITLAB_SIGNING_TOKEN') });
 */
export function gitlab(options: GitlabOptions): Source {
  const isOpen = isUnverified(options);
  return createSource({
    kind: 'gitlab',
    scheme: isOpen ? undefined : toScheme(options),
    toleranceMs: resolveTolerance(
      (isOpen ? undefined : options.tolerance) ?? TOLERANCE_DEFAULT,
      'gitlab',
    ),
    toEvents(request) {
      const data = toObject(request.body);
      const type = textAt(data, 'object_kind') ?? typeAt(data, 'event_name');
      // With a signature it is the id that is signed, whichever headers have both.
      const id =
        eventHeader(request, `${familyOf(request)}-id`) ?? eventHeader(request, 'idempotency-key');
      return [{ type, data, id }];
    },
  });
}

function toScheme({ secret, token }: Exclude<GitlabOptions, Unverified>): Scheme {
  const signed = secret === undefined ? undefined : standardScheme(secret, 'gitlab');
  const plain = token === undefined ? undefined : tokenScheme(token);
  if (signed === undefined || plain === undefined) {
    const only = signed ?? plain;
    if (only !== undefined) return only;
    throw new ConfigError('gitlab: secret is missing: give the signing token, or the secret token');
  }
  if (signed.missing.length > 0 && plain.missing.length === 0) return plain;
  if (plain.missing.length > 0) return signed;
  return {
    missing: [],
    verify: (request) =>
      (request.headers['webhook-signature'] === undefined ? plain : signed).verify(request),
    sign: (draft, signing) => signed.sign(draft, signing),
  };
}

function tokenScheme(token: Secrets): Scheme {
  const { values, missing } = resolveSecrets(token, 'gitlab: token');
  return {
    missing,
    verify(request) {
      if (isOneOf(signatureHeader(request, TOKEN_HEADER), values)) return undefined;
      throw unsigned('the token is not that of the source');
    },
    sign: (draft, { id }) => ({
      ...draft,
      headers: {
        'idempotency-key': id,
        ...draft.headers,
        [TOKEN_HEADER]: signingSecret(values, 'gitlab'),
      },
    }),
  };
}

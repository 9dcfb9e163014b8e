// Senders that show a secret instead of signing: whoever has seen a request can send others.

import { createSource } from './create-source.ts';
import { checkHeaderName } from './event-place.ts';
import { toGenericEvent, type EventPlaces } from './generic-event.ts';
import {
  isOneOf,
  isUnverified,
  signatureHeader,
  signingSecret,
  unsigned,
  type Scheme,
} from './scheme.ts';
import {
  resolveSecrets,
  type ResolvedSecrets,
  type Secret,
  type Secrets,
  type Unverified,
} from './secret.ts';
import type { Source } from './source.ts';

const AUTHORIZATION = 'authorization';

/** The settings of a source with a bearer token. */
export type BearerOptions = EventPlaces &
  (
    | Unverified
    | {
        readonly verify?: undefined;
        /** Of several, each holds. */
        readonly token: Secrets;
      }
  );

/** The settings of a source with a user name and a password. */
export type BasicOptions = EventPlaces &
  (
    | Unverified
    | {
        readonly verify?: undefined;
        readonly username: Secret;
        /** Of several, each holds. */
        readonly password: Secrets;
      }
  );

/** The settings of a source with an API key. */
export type ApiKeyOptions = EventPlaces &
  (
    | Unverified
    | {
        readonly verify?: undefined;
        /** Of several, each holds. */
        readonly key: Secrets;
        /**
         * The header with the key.
         *
         * @default 'x-api-key'
         */
        readonly header?: string;
      }
  );

/**
 * A sender that shows a token: `Authorization: Bearer <token>`. Nothing is signed.
 *
 * The event's data is the body: JSON, or the fields of a form.
 *
 * @throws ConfigError if there is no token, or an option is malformed
 *
 * @example
 * const source = bearer({ token: env('BUILDS_TOKEN'), eventType: { json: 'event' } });
 */
export function bearer(options: BearerOptions): Source {
  return createSource({
    kind: 'bearer',
    scheme: isUnverified(options)
      ? undefined
      : toScheme(AUTHORIZATION, resolveSecrets(options.token, 'bearer: token'), {
          toHeader: (token) => `Bearer ${token}`,
        }),
    toEvents: toGenericEvent(options, 'bearer'),
  });
}

/**
 * A sender that shows a user name and a password: `Authorization: Basic ...`. Nothing is signed.
 *
 * The event's data is the body: JSON, or the fields of a form.
 *
 * @throws ConfigError if one of the two is missing, or an option is malformed
 *
 * @example
 * const source = basic({ username: 'carrier', password: env('CARRIER_PASSWORD') });
 */
export function basic(options: BasicOptions): Source {
  return createSource({
    kind: 'basic',
    scheme: isUnverified(options)
      ? undefined
      : toScheme(AUTHORIZATION, toPairs(options.username, options.password), {
          toHeader: (pair) => `Basic ${pair}`,
        }),
    toEvents: toGenericEvent(options, 'basic'),
  });
}

/**
 * A sender that shows a key in a header of its own. Nothing is signed.
 *
 * The event's data is the body: JSON, or the fields of a form.
 *
 * @throws ConfigError if there is no key, or an option is malformed
 *
 * @example
 * const source = apiKey({ key: env('SENSORS_KEY'), eventId: { json: 'reading.id' } });
 */
export function apiKey(options: ApiKeyOptions): Source {
  return createSource({
    kind: 'apiKey',
    scheme: isUnverified(options) ? undefined : toKeyScheme(options.key, options.header),
    toEvents: toGenericEvent(options, 'apiKey'),
  });
}

function toPairs(username: Secret, password: Secrets): ResolvedSecrets {
  const names = resolveSecrets(username, 'basic: username');
  const passwords = resolveSecrets(password, 'basic: password');
  const [name = ''] = names.values;
  return {
    values: passwords.values.map((one) => Buffer.from(`${name}:${one}`).toString('base64')),
    missing: [...names.missing, ...passwords.missing],
  };
}

function toKeyScheme(key: Secrets, header = 'x-api-key'): Scheme {
  checkHeaderName(header, 'apiKey: header');
  const secrets = resolveSecrets(key, 'apiKey: key');
  return toScheme(header.toLowerCase(), secrets, { toHeader: (one) => one });
}

function toScheme(
  header: string,
  { values, missing }: ResolvedSecrets,
  { toHeader }: { readonly toHeader: (value: string) => string },
): Scheme {
  const expected = values.map(toHeader);
  return {
    missing,
    verify(request) {
      // The name of the way to show it may be written in any case.
      const given = signatureHeader(request, header).replace(/^(bearer|basic) +/i, capitalise);
      if (isOneOf(given, expected)) return undefined;
      throw unsigned('the credentials are not those of the source');
    },
    sign: (draft) => ({
      ...draft,
      headers: { ...draft.headers, [header]: signingSecret(expected, header) },
    }),
  };
}

function capitalise(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1).trimEnd().toLowerCase()} `;
}

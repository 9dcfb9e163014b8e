// Standard Webhooks, and what it was before: the same with headers called svix-*.

import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';

import { ConfigError } from '../../config/errors.ts';
import { hmacOf } from './hmac-scheme.ts';
import { resolveSecrets, type Secrets } from './secret.ts';
import {
  isOneOf,
  signatureHeader,
  signingSecret,
  timestampHeader,
  toUnixSeconds,
  unsigned,
  type Scheme,
} from './scheme.ts';
import { SigningError, type SourceRequest } from './source.ts';

const SECRET_PREFIX = 'whsec_';
const PUBLIC_KEY_PREFIX = 'whpk_';
const PRIVATE_KEY_PREFIX = 'whsk_';

/** What DER has before the 32 bytes of an ed25519 key. */
const PUBLIC_KEY_DER = Buffer.from('302a300506032b6570032100', 'hex');
const PRIVATE_KEY_DER = Buffer.from('302e020100300506032b657004220420', 'hex');

const KEY_BYTES = 32;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** How many signatures of one request are looked at: verifying takes its time. */
const SIGNATURES_MAX = 16;

const DIGEST = { algorithm: 'sha256', encoding: 'base64' } as const;

/** Headers that belong together begin alike. */
const FAMILIES = ['webhook', 'svix'] as const;

/** The key of a secret, of one kind or the other. */
interface Key {
  readonly bytes?: Buffer;
  readonly publicKey?: KeyObject;
}

/** A request to which one of these secrets or public keys fits. */
export function standardScheme(secret: Secrets, kind: string): Scheme {
  const { values, missing } = resolveSecrets(secret, `${kind}: secret`);
  const keys = values.map((value) => toKey(value, kind));
  return {
    missing,
    verify(request) {
      const family = familyOf(request);
      const id = signatureHeader(request, `${family}-id`);
      const given = signatureHeader(request, `${family}-signature`).split(' ');
      const { text, at } = timestampHeader(request, `${family}-timestamp`);
      const parts = [`${id}.${text}.`, request.body];
      if (given.length > SIGNATURES_MAX) throw unsigned('there are too many signatures');
      if (!given.some((one) => keys.some((key) => fits(one, parts, key)))) throw unsigned();
      return at;
    },
    sign(draft, { id, at, privateKey }) {
      const time = toUnixSeconds(at);
      const parts = [`${id}.${time}.`, draft.body];
      const signature = signatureOf(parts, privateKey ?? signingSecret(values, kind), kind);
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

function toKey(secret: string, kind: string): Key {
  if (secret.startsWith(PUBLIC_KEY_PREFIX)) {
    const bytes = decode(secret.slice(PUBLIC_KEY_PREFIX.length), kind);
    if (bytes.length !== KEY_BYTES) throw new ConfigError(`${kind}: secret is no public key`);
    const der = Buffer.concat([PUBLIC_KEY_DER, bytes]);
    return { publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
  }
  return { bytes: secretBytes(secret, kind) };
}

function secretBytes(secret: string, kind: string): Buffer {
  const isMarked = secret.startsWith(SECRET_PREFIX);
  return decode(isMarked ? secret.slice(SECRET_PREFIX.length) : secret, kind);
}

function decode(text: string, kind: string): Buffer {
  if (text !== '' && BASE64.test(text)) return Buffer.from(text, 'base64');
  throw new ConfigError(`${kind}: secret is not whsec_ or whpk_ and base64`);
}

function fits(
  signature: string,
  parts: ReadonlyArray<string | Uint8Array>,
  { bytes, publicKey }: Key,
): boolean {
  if (bytes !== undefined) return isOneOf(signature, [`v1,${hmacOf(parts, bytes, DIGEST)}`]);
  const [, encoded] = /^v1a,(.+)$/.exec(signature) ?? [];
  if (publicKey === undefined || encoded === undefined || !BASE64.test(encoded)) return false;
  return verify(null, concat(parts), publicKey, Buffer.from(encoded, 'base64'));
}

function signatureOf(parts: readonly string[], secret: string, kind: string): string {
  if (secret.startsWith(PUBLIC_KEY_PREFIX)) {
    throw new SigningError(`${kind} has a public key, which signs nothing: give a private key`);
  }
  if (secret.startsWith('-----')) return `v1a,${ed25519(parts, createPrivateKey(secret))}`;
  if (!secret.startsWith(PRIVATE_KEY_PREFIX)) {
    return `v1,${hmacOf(parts, secretBytes(secret, kind), DIGEST)}`;
  }
  const seed = decode(secret.slice(PRIVATE_KEY_PREFIX.length), kind).subarray(0, KEY_BYTES);
  const der = Buffer.concat([PRIVATE_KEY_DER, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return `v1a,${ed25519(parts, key)}`;
}

function ed25519(parts: readonly string[], key: KeyObject): string {
  return sign(null, concat(parts), key).toString('base64');
}

function concat(parts: ReadonlyArray<string | Uint8Array>): Buffer {
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

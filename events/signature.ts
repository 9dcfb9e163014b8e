// Signatures of Standard Webhooks: `v1`, with a secret that both sides have, and `v1a`, with a pair
// of ed25519 keys. Nothing here knows where keys come from, nor which headers they go into.

import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from 'node:crypto';

const SECRET_PREFIX = 'whsec_';
const PUBLIC_KEY_PREFIX = 'whpk_';
const PRIVATE_KEY_PREFIX = 'whsk_';
const PEM_PREFIX = '-----';

/** What DER has before the 32 bytes of an ed25519 key. */
const PUBLIC_KEY_DER = Buffer.from('302a300506032b6570032100', 'hex');
const PRIVATE_KEY_DER = Buffer.from('302e020100300506032b657004220420', 'hex');

const KEY_BYTES = 32;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What is signed, one part after the other. */
type Parts = ReadonlyArray<string | Uint8Array>;

/** A signature of these parts, as the header has it: `v1,...` or `v1a,...`. */
export type Sign = (parts: Parts) => string;

/** Whether a signature is one of these parts. */
export type Verify = (signature: string, parts: Parts) => boolean;

/** The text is no key, or not one for what it is given for. Its message has nothing of the key. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}

/**
 * What verifies with a secret (`whsec_` and base64, or base64 alone) or a public key (`whpk_`).
 *
 * @throws KeyError if it is none
 */
export function toVerify(key: string): Verify {
  if (!key.startsWith(PUBLIC_KEY_PREFIX)) {
    const signWith = signWithSecret(secretBytes(key));
    return (signature, parts) => isEqual(signature, signWith(parts));
  }
  const bytes = decode(key.slice(PUBLIC_KEY_PREFIX.length));
  if (bytes.length !== KEY_BYTES) throw new KeyError('secret is no public key');
  const der = Buffer.concat([PUBLIC_KEY_DER, bytes]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return (signature, parts) => {
    const [, encoded] = /^v1a,(.+)$/.exec(signature) ?? [];
    if (encoded === undefined || !BASE64.test(encoded)) return false;
    return verify(null, concat(parts), publicKey, Buffer.from(encoded, 'base64'));
  };
}

/**
 * What signs with a secret (`whsec_` and base64, or base64 alone) or a private key (`whsk_`, or PEM).
 *
 * @throws KeyError if it is none
 */
export function toSign(key: string): Sign {
  if (key.startsWith(PUBLIC_KEY_PREFIX)) {
    throw new KeyError('a public key signs nothing: give a private key');
  }
  const isPrivate = key.startsWith(PRIVATE_KEY_PREFIX) || key.startsWith(PEM_PREFIX);
  return isPrivate ? signWithPrivateKey(toPrivateKey(key)) : signWithSecret(secretBytes(key));
}

function signWithSecret(bytes: Uint8Array): Sign {
  return (parts) => {
    const hmac = createHmac('sha256', bytes);
    for (const part of parts) hmac.update(part);
    return `v1,${hmac.digest('base64')}`;
  };
}

function signWithPrivateKey(key: KeyObject): Sign {
  return (parts) => `v1a,${sign(null, concat(parts), key).toString('base64')}`;
}

/** A `whsk_` key is a seed of 32 bytes, and often its public key after it. */
function toPrivateKey(key: string): KeyObject {
  const privateKey = key.startsWith(PEM_PREFIX) ? fromPem(key) : fromSeed(key);
  if (privateKey.asymmetricKeyType === 'ed25519') return privateKey;
  throw new KeyError('secret is no ed25519 key');
}

function fromPem(key: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    // Without its cause: what OpenSSL says of a key is for nobody who reads messages.
    throw new KeyError('secret is no private key');
  }
}

function fromSeed(key: string): KeyObject {
  const bytes = decode(key.slice(PRIVATE_KEY_PREFIX.length));
  if (bytes.length !== KEY_BYTES && bytes.length !== 2 * KEY_BYTES) {
    throw new KeyError('secret is no private key');
  }
  const der = Buffer.concat([PRIVATE_KEY_DER, bytes.subarray(0, KEY_BYTES)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

function secretBytes(secret: string): Buffer {
  const isMarked = secret.startsWith(SECRET_PREFIX);
  return decode(isMarked ? secret.slice(SECRET_PREFIX.length) : secret);
}

function decode(text: string): Buffer {
  if (text !== '' && BASE64.test(text)) return Buffer.from(text, 'base64');
  throw new KeyError('secret is not whsec_ or whpk_ and base64');
}

/** Compares in a time that tells nothing of either but their length. */
function isEqual(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function concat(parts: Parts): Buffer {
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

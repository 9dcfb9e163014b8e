// The scheme of senders that sign a time and the raw body with a private key of theirs.

import { createPrivateKey, sign, verify, type KeyObject } from 'node:crypto';

import { ConfigError } from '../../config/errors.ts';
import { resolveSecrets, type Secrets } from './secret.ts';
import {
  signatureHeader,
  timestampHeader,
  toUnixSeconds,
  unsigned,
  type Scheme,
} from './scheme.ts';
import { SigningError } from './source.ts';

/** The settings of a source whose sender has a private key. */
export interface PublicKeyOptions {
  readonly verify?: undefined;
  /**
   * The public key of the sender, as the sender shows it. Of several, each holds: so one may take
   * the place of another while requests are on their way.
   */
  readonly publicKey: Secrets;
}

/** Where senders of one kind put what. */
export interface PublicKeySettings {
  readonly kind: string;
  /** In lower case. */
  readonly header: string;
  readonly timestamp: string;
  readonly encoding: 'hex' | 'base64';
  /** What a signature in that encoding looks like. */
  readonly pattern: RegExp;
  /** Null if the kind of the key says it. */
  readonly algorithm: 'sha256' | null;
  /** Throws, whatever it may be, if it is no such key. */
  readonly toKey: (text: string) => KeyObject;
}

/**
 * Such a scheme with these keys.
 *
 * @throws ConfigError if there is no key, or one is malformed
 */
export function publicKeyScheme(publicKey: Secrets, settings: PublicKeySettings): Scheme {
  const { kind, header, timestamp, encoding, pattern, algorithm } = settings;
  const { values, missing } = resolveSecrets(publicKey, `${kind}: publicKey`);
  const keys = values.map((value) => toKey(value, settings));
  return {
    missing,
    verify(request) {
      const given = signatureHeader(request, header);
      const { text, at } = timestampHeader(request, timestamp);
      if (!pattern.test(given)) throw unsigned(`the header ${header} is malformed`);
      const signature = Buffer.from(given, encoding);
      const signed = Buffer.concat([Buffer.from(text), request.body]);
      if (!keys.some((key) => verify(algorithm, signed, key, signature))) throw unsigned();
      return at;
    },
    sign(draft, { at, privateKey }) {
      if (privateKey === undefined) {
        throw new SigningError(`${kind} has the public key alone: give a private key to sign with`);
      }
      const text = toUnixSeconds(at);
      const signed = Buffer.from(`${text}${draft.body}`);
      const signature = sign(algorithm, signed, createPrivateKey(privateKey)).toString(encoding);
      const headers = { [header]: signature, [timestamp]: text };
      return { ...draft, headers: { ...draft.headers, ...headers } };
    },
  };
}

function toKey(text: string, { kind, toKey: parse }: PublicKeySettings): KeyObject {
  try {
    return parse(text);
  } catch (error) {
    throw new ConfigError(`${kind}: publicKey is not the key that ${kind} shows`, { cause: error });
  }
}

// The scheme of most senders: an HMAC of the raw body in a header, and perhaps of a time before it.

import { createHmac } from 'node:crypto';

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
import type { SourceRequest } from './source.ts';

/** How the bytes of a digest are made and written. */
export interface Digest {
  readonly algorithm: 'sha1' | 'sha256' | 'sha512';
  readonly encoding: 'hex' | 'base64';
}

/** Where senders of one kind put what. */
export interface HmacSettings {
  readonly kind: string;
  /** In lower case. */
  readonly header: string;
  /** What stands before the digest in the header, such as `sha256=`. */
  readonly prefix: string;
  readonly digest: Digest;
  /** The header that says when, and what of it stands before the body in what is signed. */
  readonly timestamp?: {
    readonly header: string;
    readonly unit: 'seconds' | 'milliseconds';
    before(text: string): string;
  };
  /** When the request was signed, where its body says so. */
  signedAt?(request: SourceRequest): Date;
}

/** The HMAC of these parts, one after the other, as text. */
export function hmacOf(
  parts: ReadonlyArray<string | Uint8Array>,
  key: string | Uint8Array,
  { algorithm, encoding }: Digest,
): string {
  const hmac = createHmac(algorithm, key);
  for (const part of parts) hmac.update(part);
  return hmac.digest(encoding);
}

/**
 * Such a scheme with these secrets. The digest is compared as text: another way to write the same
 * bytes is not what the sender writes.
 *
 * @throws ConfigError if there is no secret
 */
export function hmacScheme(secret: Secrets, settings: HmacSettings): Scheme {
  const { kind, header, prefix, digest, timestamp } = settings;
  const { values, missing } = resolveSecrets(secret, `${kind}: secret`);
  const signaturesOf = (before: string, body: string | Uint8Array): readonly string[] =>
    values.map((value) => `${prefix}${hmacOf([before, body], value, digest)}`);
  return {
    missing,
    verify(request) {
      const given = signatureHeader(request, header);
      const time = timestamp && timestampHeader(request, timestamp.header, timestamp.unit);
      const before = time && timestamp ? timestamp.before(time.text) : '';
      if (!isOneOf(given, signaturesOf(before, request.body))) throw unsigned();
      return time?.at ?? settings.signedAt?.(request);
    },
    sign(draft, { at }) {
      const secretUsed = signingSecret(values, kind);
      const text = timestamp?.unit === 'milliseconds' ? String(at.getTime()) : toUnixSeconds(at);
      const before = timestamp?.before(text) ?? '';
      const signature = `${prefix}${hmacOf([before, draft.body], secretUsed, digest)}`;
      const headers = { [header]: signature, ...(timestamp && { [timestamp.header]: text }) };
      return { ...draft, headers: { ...draft.headers, ...headers } };
    },
  };
}

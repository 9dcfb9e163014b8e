// Every kind of source that verifies, with secrets, and requests to it as its sender would make them.

import { generateKeyPairSync, randomUUID } from 'node:crypto';

import { sampleDraft, toDraft } from '../ingress/samples/to-draft.ts';
import type { Draft, Signing, Source, SourceRequest } from '../ingress/sources/source.ts';
import * as sources from '../nextevent.ts';

/** What a kind of source is made with: a secret, and what signs for it. */
interface Keys {
  /** What the source is configured with. */
  readonly secret: string;
  /** Of senders that sign with a private key. */
  readonly privateKey?: string;
}

/** A kind of source, for tables. */
export interface Kind {
  readonly name: string;
  /** A source with these secrets. */
  create(secrets: readonly string[]): Source;
  /** The source to be found by nobody: without anything to verify with. */
  createOff(variable: string): Source;
  /** The source that takes everything. */
  createOpen(): Source;
  /** A pair of keys, another one each time. */
  keys(): Keys;
  /** The headers of the scheme, the one with the signature first. */
  readonly headers: readonly string[];
  /** How far off the time of a signature may be; undefined where there is none. */
  readonly toleranceMs?: number;
  /** What it takes, if not JSON objects alone. */
  readonly takes?: 'any JSON' | 'forms';
  /** A sample of its events, and the type that it has. */
  readonly sample: string;
  readonly type: string;
}

const MINUTE_MS = 60_000;

/** The address that Twilio is told. */
export const TWILIO_URL = 'https://hooks.example.com/webhooks/twilio';

const text = (): Keys => ({ secret: `secret-${randomUUID()}` });
const base64 = (): Keys => ({
  secret: `whsec_${Buffer.from(randomUUID()).toString('base64')}`,
});

export const KINDS: readonly Kind[] = [
  {
    name: 'github',
    ...made((secret) => sources.github({ secret }), sources.github),
    keys: text,
    headers: ['x-hub-signature-256'],
    sample: 'pull_request.opened',
    type: 'pull_request',
  },
  {
    name: 'gitlab',
    ...made((secret) => sources.gitlab({ secret }), sources.gitlab),
    keys: base64,
    headers: ['webhook-signature', 'webhook-id', 'webhook-timestamp'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'merge_request.open',
    type: 'merge_request',
  },
  {
    name: 'gitlab with a token',
    ...made((token) => sources.gitlab({ token }), sources.gitlab),
    keys: text,
    headers: ['x-gitlab-token'],
    sample: 'push',
    type: 'push',
  },
  {
    name: 'stripe',
    ...made((secret) => sources.stripe({ secret }), sources.stripe),
    keys: text,
    headers: ['stripe-signature'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'payment_intent.succeeded',
    type: 'payment_intent.succeeded',
  },
  {
    name: 'slack',
    ...made((secret) => sources.slack({ secret }), sources.slack),
    keys: text,
    headers: ['x-slack-signature', 'x-slack-request-timestamp'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'app_mention',
    type: 'app_mention',
  },
  {
    name: 'shopify',
    ...made((secret) => sources.shopify({ secret }), sources.shopify),
    keys: text,
    headers: ['x-shopify-hmac-sha256'],
    sample: 'orders/create',
    type: 'orders/create',
  },
  {
    name: 'standardWebhooks',
    takes: 'any JSON',
    ...made((secret) => sources.standardWebhooks({ secret }), sources.standardWebhooks),
    keys: base64,
    headers: ['webhook-signature', 'webhook-id', 'webhook-timestamp'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'user.created',
    type: 'user.created',
  },
  {
    name: 'standardWebhooks with a public key',
    takes: 'any JSON',
    ...made((secret) => sources.standardWebhooks({ secret }), sources.standardWebhooks),
    keys() {
      const { publicKey, privateKey } = ed25519();
      return { secret: `whpk_${publicKey.toString('base64')}`, privateKey };
    },
    headers: ['webhook-signature', 'webhook-id', 'webhook-timestamp'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'invoice.paid',
    type: 'invoice.paid',
  },
  {
    name: 'twilio',
    takes: 'forms',
    ...made((authToken) => sources.twilio({ authToken, url: TWILIO_URL }), sources.twilio),
    keys: text,
    headers: ['x-twilio-signature'],
    sample: 'message.received',
    type: 'message.received',
  },
  {
    name: 'linear',
    ...made((secret) => sources.linear({ secret }), sources.linear),
    keys: text,
    headers: ['linear-signature'],
    toleranceMs: MINUTE_MS,
    sample: 'Issue.create',
    type: 'Issue',
  },
  {
    name: 'discord',
    ...made((publicKey) => sources.discord({ publicKey }), sources.discord),
    keys() {
      const { publicKey, privateKey } = ed25519();
      return { secret: publicKey.toString('hex'), privateKey };
    },
    headers: ['x-signature-ed25519', 'x-signature-timestamp'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'application_command',
    type: 'application_command',
  },
  {
    name: 'sendgrid',
    ...made((publicKey) => sources.sendgrid({ publicKey }), sources.sendgrid),
    keys() {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return {
        secret: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
        privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      };
    },
    headers: ['x-twilio-email-event-webhook-signature', 'x-twilio-email-event-webhook-timestamp'],
    toleranceMs: 25 * 60 * MINUTE_MS,
    sample: 'delivered',
    type: 'delivered',
  },
  {
    name: 'zoom',
    ...made((secret) => sources.zoom({ secret }), sources.zoom),
    keys: text,
    headers: ['x-zm-signature', 'x-zm-request-timestamp'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'meeting.started',
    type: 'meeting.started',
  },
  {
    name: 'meta',
    ...made((secret) => sources.meta({ secret, verifyToken: 'verify' }), sources.meta),
    keys: text,
    headers: ['x-hub-signature-256'],
    sample: 'whatsapp_business_account.messages',
    type: 'whatsapp_business_account.messages',
  },
  {
    name: 'microsoftGraph',
    ...made((clientState) => sources.microsoftGraph({ clientState }), sources.microsoftGraph),
    keys: text,
    headers: [],
    sample: 'created',
    type: 'created',
  },
  {
    name: 'hmac',
    takes: 'any JSON',
    ...made(
      (secret) =>
        sources.hmac({
          secret,
          header: 'X-Signature',
          prefix: 'sha512=',
          algorithm: 'sha512',
          encoding: 'base64',
          timestamp: { header: 'X-Time', unit: 'milliseconds', separator: '|' },
          eventType: { json: 'type' },
          eventId: { json: 'id' },
        }),
      sources.hmac,
    ),
    keys: text,
    headers: ['x-signature', 'x-time'],
    toleranceMs: 5 * MINUTE_MS,
    sample: 'hello',
    type: 'hello',
  },
  {
    name: 'bearer',
    takes: 'any JSON',
    ...made(
      (token) => sources.bearer({ token, eventType: { json: 'type' } }),
      (open) => sources.bearer({ ...open, eventType: { json: 'type' } }),
    ),
    keys: text,
    headers: ['authorization'],
    sample: 'hello',
    type: 'hello',
  },
  {
    name: 'basic',
    takes: 'any JSON',
    ...made(
      (password) => sources.basic({ username: 'user', password, eventType: { json: 'type' } }),
      (open) => sources.basic({ ...open, eventType: { json: 'type' } }),
    ),
    keys: text,
    headers: ['authorization'],
    sample: 'hello',
    type: 'hello',
  },
  {
    name: 'apiKey',
    takes: 'any JSON',
    ...made(
      (key) => sources.apiKey({ key, eventType: { json: 'type' } }),
      (open) => sources.apiKey({ ...open, eventType: { json: 'type' } }),
    ),
    keys: text,
    headers: ['x-api-key'],
    sample: 'hello',
    type: 'hello',
  },
];

/** The sample of the kind, as its sender signs it. */
export function signedSample(kind: Kind, source: Source, signing: Partial<Signing> = {}): Draft {
  const { id = randomUUID(), at = new Date() } = signing;
  const draft = sampleDraft(source.kind, kind.sample, { id, at });
  if (draft === undefined) throw new Error(`no sample ${kind.sample} of ${source.kind}`);
  return source.sign(draft, { ...signing, id, at });
}

/** A body of the kind's, as its sender signs it. */
export function signedBody(
  source: Source,
  { body, type = 'test' }: { readonly body: unknown; readonly type?: string },
  signing: Partial<Signing> = {},
): Draft {
  const { id = randomUUID(), at = new Date() } = signing;
  return source.sign(toDraft({ kind: source.kind, type, body }, { id, at }), {
    ...signing,
    id,
    at,
  });
}

/** What the ingress makes of such a request. */
export function toRequest(
  { method, suffix, headers, body }: Omit<Draft, 'body'> & { body: string | Uint8Array },
  changes: Partial<SourceRequest> = {},
): SourceRequest {
  const raw = `/webhooks/twilio${suffix}`;
  const { pathname, searchParams } = new URL(raw, 'http://localhost');
  return {
    source: 'tested',
    method,
    url: {
      path: pathname,
      path_suffix: pathname.replace(/^\/webhooks\/[^/]*/, ''),
      query: Object.fromEntries(searchParams),
      raw,
    },
    headers,
    repeatedHeaders: new Set(),
    body: Buffer.from(body),
    ...changes,
  };
}

function made(
  create: (secrets: sources.Secrets) => Source,
  createOpen: (options: { readonly verify: 'none' }) => Source,
): Pick<Kind, 'create' | 'createOff' | 'createOpen'> {
  return {
    create,
    createOff: (variable) => create(sources.env(variable)),
    createOpen: () => createOpen({ verify: 'none' }),
  };
}

function ed25519(): { readonly publicKey: Buffer; readonly privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}

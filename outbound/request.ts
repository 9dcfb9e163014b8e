// Makes the request of one attempt: body by the dialect, secrets in place of their names, signature.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

import type { Event } from '../events/event.ts';
import type { HeaderValue, ListenerDefinition } from '../events/listener.ts';
import { KeyError, toSign } from '../events/signature.ts';
import type { Dialect } from './dialects.ts';
import { RequestError, MendableError } from './errors.ts';
import { mergeHeaders } from './headers.ts';
import { secretOf, type Outbound } from './outbound.ts';
import type { OutboundRequest } from './transport.ts';

const { version } = createRequire(import.meta.url)('nextevent/package.json') as { version: string };

const USER_AGENT = `nextevent/${version}`;

/** What a request is made of. */
export interface RequestParts {
  readonly definition: ListenerDefinition;
  readonly event: Event;
  readonly signal: AbortSignal;
}

/**
 * The same for every attempt to deliver an event, and for every listener: receivers know by it that
 * they have had the event.
 */
export function toWebhookId({ source, id }: Pick<Event, 'source' | 'id'>): string {
  // The name of a source has no slash in it, so this is one way only.
  return `msg_${createHash('sha256').update(`${source}/${id}`).digest('base64url')}`;
}

/**
 * @throws RequestError if the dialect fails on the event
 * @throws MendableError if there is no such dialect, or a secret is missing, or signs nothing
 */
export function toRequest(outbound: Outbound, parts: RequestParts): OutboundRequest {
  const { definition, event, signal } = parts;
  const dialect = outbound.dialects.get(definition.dialect);
  if (dialect === undefined) {
    throw new MendableError(`the configuration has no dialect "${definition.dialect}"`);
  }
  const id = toWebhookId(event);
  const { body, headers } = speak(dialect, definition, event);
  return {
    event,
    url: definition.url,
    method: definition.method,
    headers: mergeHeaders(
      { 'Content-Type': dialect.contentType, 'User-Agent': dialect.userAgent ?? USER_AGENT },
      headers,
      resolveHeaders(outbound, definition.headers),
      toStandardHeaders(outbound, definition, { id, body }),
    ),
    body,
    id,
    timeoutMs: definition.timeoutMs,
    signal,
    secret: (name) => secretOf(outbound, name),
  };
}

function speak(
  dialect: Dialect,
  definition: ListenerDefinition,
  event: Event,
): { readonly body: Uint8Array; readonly headers: Readonly<Record<string, string>> } {
  try {
    // A copy as bytes, once: what is signed is what is sent.
    const body = Buffer.from(dialect.body(event) as string);
    return { body, headers: dialect.headers?.(event) ?? {} };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RequestError(`the dialect "${definition.dialect}" failed: ${reason}`, {
      cause: error,
    });
  }
}

function resolveHeaders(
  outbound: Outbound,
  headers: Readonly<Record<string, HeaderValue>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : (value.prefix ?? '') + secretOf(outbound, value.secret),
    ]),
  );
}

/** Those of Standard Webhooks, with the time of this attempt; signed by every key that is not over. */
function toStandardHeaders(
  outbound: Outbound,
  { signing }: ListenerDefinition,
  { id, body }: Pick<OutboundRequest, 'id' | 'body'>,
): Record<string, string> {
  const now = Date.now();
  const timestamp = String(Math.floor(now / 1_000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (signing.length === 0) return headers;
  const keys = signing.filter(({ until }) => until === undefined || Date.parse(until) > now);
  // Receivers that verify would refuse it, and those that do not must not learn to do without.
  if (keys.length === 0) throw new MendableError('every signing key is over');
  const parts = [`${id}.${timestamp}.`, body];
  return {
    ...headers,
    'webhook-signature': keys
      .map(({ secret }) => signWith(secret, secretOf(outbound, secret), parts))
      .join(' '),
  };
}

function signWith(name: string, key: string, parts: ReadonlyArray<string | Uint8Array>): string {
  try {
    return toSign(key)(parts);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw new MendableError(`the secret "${name}" signs nothing: it is no whsec_ or whsk_ key`);
  }
}

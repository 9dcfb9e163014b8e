// The transport that is built in: HTTP requests, each made once, to where the rules allow.

import type { ConnectionOptions } from 'node:tls';

import type { Agent, Dispatcher } from 'undici';

import { checkUrl, type AllowRules } from './addresses.ts';
import { toResult } from './answer.ts';
import { toWords, UNFORESEEN } from './failures.ts';
import { mergeHeaders } from './headers.ts';
import { createResolve, type Resolve } from './lookup.ts';
import type { OutboundRequest, SendResult, Transport } from './transport.ts';

/**
 * How much of an answer's body is read, in bytes: more than is kept on record, so that a secret which
 * goes past the end of that is still seen whole.
 */
const READ_BYTES_MAX = 64 * 1024;

/** A receiver's own, such as a session's. */
const COOKIES = 'set-cookie';

export interface WebhookOptions {
  readonly rules: AllowRules;
  /** @default asks the name servers */
  readonly resolve?: Resolve;
  readonly tls?: Pick<ConnectionOptions, 'ca'>;
}

export function createWebhookTransport(options: WebhookOptions): Transport {
  const { rules, resolve = createResolve(), tls } = options;
  let opened: Promise<Agent> | undefined;
  const open = async (): Promise<Agent> => {
    // Only processes that send something load the HTTP client.
    const { createAgent } = await import('./agent.ts');
    return createAgent({ rules, resolve, ...(tls && { tls }) });
  };
  return {
    check({ url }) {
      checkUrl(url, rules);
    },
    async send(request) {
      const headers = toSentHeaders(request);
      try {
        const url = checkUrl(request.url, rules);
        const agent = await (opened ??= open());
        const sent = { headers: { Host: url.host, ...headers } };
        return { ...(await exchange(agent, url, { ...request, headers })), sent };
      } catch (error) {
        const message = toWords(error, request.timeoutMs) ?? UNFORESEEN;
        return { isSuccessful: false, message, sent: { headers } };
      }
    },
    async close() {
      const closing = opened;
      opened = undefined;
      await (await closing)?.destroy();
    },
  };
}

/** All headers but `Host`, as they are sent. Nothing compressed is wanted: it could be a bomb. */
export function toSentHeaders({
  headers,
  body,
}: Pick<OutboundRequest, 'headers' | 'body'>): Record<string, string> {
  return mergeHeaders(
    {
      Accept: '*/*',
      'Accept-Encoding': 'identity',
      Connection: 'keep-alive',
      'Content-Length': String(body.byteLength),
    },
    headers,
  );
}

async function exchange(agent: Agent, url: URL, request: OutboundRequest): Promise<SendResult> {
  const { method, headers, body, signal } = request;
  const answer = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method,
    headers,
    body,
    signal,
  });
  const read = await readStart(answer.body);
  return toResult({ status: answer.statusCode, headers: toRecord(answer.headers), ...read });
}

/** The start of a body. The head of the answer has decided: what breaks off after it is only cut. */
async function readStart(
  body: Dispatcher.ResponseData['body'],
): Promise<{ readonly body: Uint8Array; readonly isCut: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // It is destroyed while it comes: nobody else listens to what it says of that.
  body.on('error', () => {});
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes > READ_BYTES_MAX) return { body: Buffer.concat(chunks), isCut: true };
    }
  } catch {
    return { body: Buffer.concat(chunks), isCut: true };
  }
  return { body: Buffer.concat(chunks), isCut: false };
}

function toRecord(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, name === COOKIES ? '***' : [value].flat().join(', ')]),
  );
}

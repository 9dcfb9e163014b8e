// What goes on record of an attempt: bounded, and with no secret in it.

import {
  RECORDED_BODY_BYTES_MAX,
  type HeaderValue,
  type ListenerDefinition,
  type RecordedRequest,
  type RecordedResponse,
} from '../events/listener.ts';
import type { Redaction } from './redaction.ts';
import type { Answer, OutboundRequest, SendResult } from './transport.ts';

/** Longest message, in characters. */
const MESSAGE_LENGTH_MAX = 300;

/** How large the headers of an answer may be on record, in characters. */
const HEADERS_LENGTH_MAX = 16 * 1024;

export interface RequestToRecord {
  readonly definition: ListenerDefinition;
  /** `undefined`: none could be made. */
  readonly request: OutboundRequest | undefined;
  readonly sent: SendResult['sent'] | undefined;
}

/** The first line of a message. */
export function toMessage(redaction: Redaction, message: unknown): string {
  const [first = ''] = redaction
    .redact(String(message))
    .trim()
    .split(/[\r\n]/, 1);
  return first.slice(0, MESSAGE_LENGTH_MAX);
}

export function toRecordedRequest(
  redaction: Redaction,
  { definition, request, sent }: RequestToRecord,
): RecordedRequest {
  const headers = sent?.headers ?? request?.headers ?? hideSecrets(definition.headers);
  return {
    url: redaction.redact(definition.url),
    method: sent?.method ?? definition.method,
    headers: redaction.redactAll(headers),
    ...toRecordedBody(redaction, request?.body ?? ''),
  };
}

export function toRecordedResponse(redaction: Redaction, answer: Answer): RecordedResponse {
  const { status, headers = {}, body = '', isCut = false } = answer;
  return {
    status,
    headers: redaction.redactAll(bounded(headers)),
    ...toRecordedBody(redaction, body),
    ...(isCut && { isCut }),
  };
}

function toRecordedBody(
  redaction: Redaction,
  given: string | Uint8Array,
): Pick<RecordedRequest, 'body' | 'isCut'> {
  const { body, isCut } = redaction.start(given, RECORDED_BODY_BYTES_MAX);
  return { body, ...(isCut && { isCut }) };
}

function hideSecrets(headers: Readonly<Record<string, HeaderValue>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : `${value.prefix ?? ''}***`,
    ]),
  );
}

/** Those that fit, in their order. */
function bounded(headers: Readonly<Record<string, string>>): Record<string, string> {
  let length = 0;
  return Object.fromEntries(
    Object.entries(headers).filter(([name, value]) => {
      length += name.length + value.length;
      return length <= HEADERS_LENGTH_MAX;
    }),
  );
}

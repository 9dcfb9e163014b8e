// In which of its three modes a CloudEvent comes over HTTP, and the binary one.

import type { IncomingMessage } from 'node:http';

import type { RawCloudEvent } from './cloud-events.ts';
import { MediaTypeError } from './problems.ts';
import { RequestError } from './sources/source.ts';

/** The media types of the JSON event format. */
const STRUCTURED_TYPE = 'application/cloudevents+json';
const BATCHED_TYPE = 'application/cloudevents-batch+json';

const CLOUD_EVENTS_TYPE = /^application\/cloudevents\b/;
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]+)/i;
const PREFIX = 'ce-';

/** Attributes whose header is not `ce-` and their name, or that are data. */
const NOT_PREFIXED: readonly string[] = ['datacontenttype', 'data', 'data_base64'];

/**
 * - `structured`: the body is the CloudEvent
 * - `batched`: the body is a list of them
 * - `binary`: the headers are its attributes, the body is its data
 */
export type ContentMode = 'structured' | 'batched' | 'binary';

/** @throws MediaTypeError if the request is in none */
export function modeOf({ headers }: IncomingMessage): ContentMode {
  const contentType = headers['content-type'] ?? '';
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === STRUCTURED_TYPE || type === BATCHED_TYPE) {
    checkCharset(contentType);
    return type === STRUCTURED_TYPE ? 'structured' : 'batched';
  }
  if (CLOUD_EVENTS_TYPE.test(type)) throw unsupported(`${type} is not supported`);
  if (Object.keys(headers).some((name) => name.startsWith(PREFIX))) return 'binary';
  throw unsupported('the request is no CloudEvent: it has neither their content type nor ce-id');
}

/**
 * The CloudEvent of a request in binary mode.
 *
 * @throws RequestError if a header of it is repeated or malformed
 */
export function toBinaryCloudEvent(request: IncomingMessage, bytes: Uint8Array): RawCloudEvent {
  const attributes: Record<string, unknown> = {};
  const contentType = request.headers['content-type'];
  if (contentType !== undefined) attributes.datacontenttype = contentType;
  // From the headers as they came: Node's own map joins repetitions.
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const header = request.rawHeaders[at]?.toLowerCase() ?? '';
    if (!header.startsWith(PREFIX)) continue;
    const name = header.slice(PREFIX.length);
    if (NOT_PREFIXED.includes(name)) throw new RequestError(`${header} is no attribute's header`);
    if (Object.hasOwn(attributes, name)) throw new RequestError(`${header} is given twice`);
    attributes[name] = decodeHeader(request.rawHeaders[at + 1] ?? '', header);
  }
  return { attributes, bytes };
}

function checkCharset(contentType: string): void {
  const [, charset = 'utf-8'] = CHARSET.exec(contentType) ?? [];
  if (!/^(utf-?8|us-ascii)$/i.test(charset)) throw unsupported(`the charset is ${charset}`);
}

function unsupported(message: string): MediaTypeError {
  return new MediaTypeError(message, `${STRUCTURED_TYPE}, ${BATCHED_TYPE}`);
}

/** Once, as the specification says. */
function decodeHeader(value: string, header: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    throw new RequestError(`${header} has malformed percent-encoding`, { cause: error });
  }
}

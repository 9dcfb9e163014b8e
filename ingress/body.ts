// Reads the raw body of a request, uncompressed. Refuses it as soon as it is known to
// be too large, without waiting for the rest: the rest may never come. What is compressed is held
// as it was sent until all of it is there: so nobody has more held than they have sent.

import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, type ZlibOptions } from 'node:zlib';

import { EVENT_BYTES_MAX } from '../events/event.ts';
import { RejectedError, RequestError } from './sources/source.ts';

/** How much larger than the body its compressed form may be, in bytes. */
const COMPRESSION_OVERHEAD_BYTES_MAX = 64 * 1024;

type Decompress = (sent: Buffer, options: Pick<ZlibOptions, 'maxOutputLength'>) => Promise<Buffer>;

const DECOMPRESS: ReadonlyMap<string, Decompress> = new Map<string, Decompress>([
  ['gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
]);

/** The body is above the limit. */
export class BodyTooLargeError extends RejectedError {
  override readonly name = 'BodyTooLargeError';

  constructor(message: string) {
    super('BODY_TOO_LARGE', message);
  }
}

/** The content encoding is not one that the ingress reads. */
export class EncodingError extends Error {
  override readonly name = 'EncodingError';
  readonly supported: readonly string[] = [...DECOMPRESS.keys()];
}

/** The client went away before its request was complete. There is nobody to answer. */
export class RequestAbortedError extends Error {
  override readonly name = 'RequestAbortedError';
}

/**
 * The body of the request, empty if it has none.
 *
 * @throws BodyTooLargeError if it is above 1 MiB, compressed or not
 * @throws EncodingError if its content encoding is not supported
 * @throws RequestError if it is not in the content encoding that it names
 * @throws RequestAbortedError if the client went away
 */
export async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return collect(request, EVENT_BYTES_MAX);
  const decompress = DECOMPRESS.get(encoding);
  if (decompress === undefined) {
    throw new EncodingError(`content encoding ${JSON.stringify(encoding)} is not supported`);
  }
  const sent = await collect(request, EVENT_BYTES_MAX + COMPRESSION_OVERHEAD_BYTES_MAX);
  // A request without a body may name an encoding all the same.
  if (sent.length === 0) return sent;
  try {
    return await decompress(sent, { maxOutputLength: EVENT_BYTES_MAX });
  } catch (error) {
    if (isTooLong(error)) throw tooLarge(EVENT_BYTES_MAX);
    throw new RequestError('the body is not in the content encoding that it names');
  }
}

/** What the request sends. */
function collect(request: IncomingMessage, most: number): Promise<Buffer> {
  checkSize(Number(request.headers['content-length'] ?? 0), most);
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > most) refuse(tooLarge(most));
      else chunks.push(chunk);
    };
    const refuse = (error: Error) => {
      request.off('data', take);
      reject(error);
    };
    const checkComplete = () => {
      if (!request.complete) refuse(new RequestAbortedError('the client went away'));
    };
    request.once('error', checkComplete);
    request.once('close', checkComplete);
    request.on('data', take);
    request.once('end', () => resolve(Buffer.concat(chunks)));
  });
}

function isTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function checkSize(bytes: number, most: number): void {
  if (bytes > most) throw tooLarge(most);
}

function tooLarge(most: number): BodyTooLargeError {
  return new BodyTooLargeError(`body is larger than ${most} bytes`);
}

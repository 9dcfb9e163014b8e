// Reads the raw body of a request, uncompressed. Refuses it as soon as it is known to
// be too large, without waiting for the rest: the rest may never come.

import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

import { EVENT_BYTES_MAX } from '../events/event.ts';
import { RejectedError, RequestError } from './sources/source.ts';

/** How much larger than the body its compressed form may be, in bytes. */
const COMPRESSION_OVERHEAD_BYTES_MAX = 64 * 1024;

const DECODERS: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
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
  readonly supported: readonly string[] = [...DECODERS.keys()];
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
  if (encoding === 'identity' || encoding === '') {
    checkSize(Number(request.headers['content-length'] ?? 0), EVENT_BYTES_MAX);
    return collect(request);
  }
  const decoder = DECODERS.get(encoding)?.();
  if (decoder === undefined) {
    throw new EncodingError(`content encoding ${JSON.stringify(encoding)} is not supported`);
  }
  try {
    return await collect(request, decoder);
  } finally {
    request.unpipe(decoder);
    decoder.destroy();
    request.resume(); // What follows the compressed body is read off, and is nothing.
  }
}

/** Collects the body: what the request sends, or what the decoder makes of it. */
function collect(request: IncomingMessage, decoder?: Transform): Promise<Buffer> {
  const output = decoder ?? request;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let sentBytes = 0;
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > EVENT_BYTES_MAX) refuse(tooLarge(EVENT_BYTES_MAX));
      else chunks.push(chunk);
    };
    const count = (chunk: Buffer) => {
      sentBytes += chunk.length;
      const most = EVENT_BYTES_MAX + COMPRESSION_OVERHEAD_BYTES_MAX;
      if (sentBytes > most) refuse(tooLarge(most));
    };
    const refuse = (error: Error) => {
      output.off('data', take);
      request.off('data', count);
      reject(error);
    };
    const checkComplete = () => {
      if (!request.complete) refuse(new RequestAbortedError('the client went away'));
    };
    request.once('error', checkComplete);
    request.once('close', checkComplete);
    output.on('data', take);
    output.once('end', () => resolve(Buffer.concat(chunks)));
    if (decoder === undefined) return;
    decoder.on('error', () => {
      // A request without a body may name an encoding all the same.
      if (request.complete && sentBytes === 0) resolve(Buffer.alloc(0));
      else refuse(new RequestError('the body is not in the content encoding that it names'));
    });
    request.on('data', count);
    request.pipe(decoder);
  });
}

function checkSize(bytes: number, most: number): void {
  if (bytes > most) throw tooLarge(most);
}

function tooLarge(most: number): BodyTooLargeError {
  return new BodyTooLargeError(`body is larger than ${most} bytes`);
}

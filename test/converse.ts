// Sends random requests to an ingress that runs, and checks that every answer is one.

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';

import type { Conversation, RandomRequest } from './random-requests.ts';

/** Every status that the ingress has an answer for, but those that are a fault: 500, 502 and 504. */
const STATUSES: ReadonlySet<number> = new Set([
  200, 202, 204, 207, 304, 400, 401, 403, 404, 405, 408, 413, 415, 417, 431, 503,
]);

/** What only somebody who looks into the process can know. */
const INSIDE = /node_modules|\bat \S+ \(|\.ts:\d+|known to the sender/;

/** An answer, or the end of a connection, that takes longer than this does not come. */
const ANSWER_MS_MAX = 60_000;

const NO_CHUNKS = '0\r\n\r\n';

const END = Buffer.from('\r\n\r\n');

export interface Answered {
  readonly status: number;
  readonly body: string;
}

/** Has a conversation, and gives the answers to it: at least one for each complete request. */
export async function converse(port: number, conversation: Conversation): Promise<Answered[]> {
  const { requests, last } = conversation;
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error('no answer')));
  const closed = new Promise<Error | undefined>((resolve) => {
    let why: Error | undefined;
    socket.on('error', (error) => (why = error));
    socket.once('close', () => resolve(why));
  });
  const reading = new Reading(socket, [...requests, ...(last ? [last.request] : [])]);
  const startedAt = performance.now();
  for (const { bytes } of requests) socket.write(bytes);
  const early = await Promise.race([reading.until(requests.length), closed]);
  if (early instanceof assert.AssertionError) throw early;
  const counted = reading.answers.length;
  const unanswered = requests[counted]?.bytes.toString('latin1').slice(0, 2_000);
  const before = requests[counted - 1]?.bytes.toString('latin1').slice(0, 2_000);
  assert.equal(
    unanswered,
    undefined,
    `${unanswered} is not answered, after ${before}, ${performance.now() - startedAt} ms, ${reading.describe()}`,
  );
  if (last) socket.write(last.request.bytes);
  if (last?.isCutOff) socket.destroy();
  else socket.end();
  const why = await closed;
  if (why instanceof assert.AssertionError) throw why;
  assert.notEqual(why?.message, 'no answer');
  // Of the last one, the end may be cut off with the connection.
  if (!last) reading.checkEnd();
  for (const answer of reading.answers) check(answer);
  return reading.answers;
}

function check({ status, body }: Answered): void {
  assert.ok(STATUSES.has(status), `status ${status}: ${body}`);
  assert.doesNotMatch(body, INSIDE);
  // What Node answers itself has no body, and HEAD has none either.
  if (status < 400 || body === '') return;
  const problem = JSON.parse(body) as { readonly status: number; readonly requestId: string };
  assert.equal(problem.status, status);
  assert.ok(problem.requestId);
}

/** Takes the answers out of what comes from a connection. */
class Reading {
  readonly answers: Answered[] = [];
  readonly #requests: readonly RandomRequest[];
  #rest: Buffer = Buffer.alloc(0);
  #awaited: { readonly count: number; readonly resolve: () => void } | undefined;

  constructor(socket: Socket, requests: readonly RandomRequest[]) {
    this.#requests = requests;
    socket.on('data', (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      try {
        while (this.#takeOne());
      } catch (error) {
        socket.destroy(error as Error);
      }
      if (this.#awaited && this.answers.length >= this.#awaited.count) this.#awaited.resolve();
    });
  }

  until(count: number): Promise<void> {
    if (this.answers.length >= count) return Promise.resolve();
    return new Promise((resolve) => (this.#awaited = { count, resolve }));
  }

  describe(): string {
    return JSON.stringify([this.answers, this.#rest.toString('latin1')]).slice(-1_500);
  }

  checkEnd(): void {
    assert.equal(this.#rest.length, 0, 'nothing is left over');
  }

  #takeOne(): boolean {
    const end = this.#rest.indexOf(END);
    if (end < 0) return false;
    const head = this.#rest.subarray(0, end).toString('latin1');
    const [, code = ''] = /^HTTP\/1\.1 (\d{3}) /.exec(head) ?? [];
    assert.ok(code, `${JSON.stringify(head.slice(0, 100))} is an answer`);
    const status = Number(code);
    if (status < 200) {
      this.#rest = this.#rest.subarray(end + END.length);
      return true;
    }
    const isEmpty = this.#requests[this.answers.length]?.method === 'HEAD';
    // Only what Node answers by itself is chunked, and empty.
    const isChunked = /^transfer-encoding: chunked$/im.test(head) && !isEmpty;
    const declared = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    const length = isEmpty ? 0 : isChunked ? NO_CHUNKS.length : declared;
    const from = end + END.length;
    if (this.#rest.length < from + length) return false;
    const sent = this.#rest.subarray(from, from + length).toString();
    if (isChunked) assert.equal(sent, NO_CHUNKS);
    const body = isChunked ? '' : sent;
    this.#rest = this.#rest.subarray(from + length);
    this.answers.push({ status, body });
    return true;
  }
}

// Senders that are slow, that hang up, or that send more than there is room for: they are cut off,
// and keep nobody else waiting. Real sockets; the dispatcher only records.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { EVENT_BYTES_MAX, type Event } from '../events/event.ts';
import { createApp, createServer } from '../ingress/app.ts';
import { webhook } from '../nextevent.ts';
import { until } from '../testing/until.ts';

/**
 * What a client may take here, in the place of 10 and 60 seconds: long enough for those that are
 * not slow, on a machine that is.
 */
const HEADERS_MS = 3_000;
const SHORT = { headersMs: HEADERS_MS, requestMs: 4_000 };

/** Node looks every second; a busy machine is late. */
const CUT_OFF_MS = 30_000;

/** An answer that takes longer than this was not prompt. */
const PROMPT_MS = 5_000;

/** Node's limit for all headers of a request, in bytes. */
const HEADERS_BYTES_MAX = 16 * 1024;

/** How many slow senders there are at the same time. */
const SLOW = 300;

/** How many send a body that is a thousand times as long once it is decompressed. */
const COMPRESSED = 32;

let events: Event[] = [];
let lines: string[] = [];
let release: (() => void) | undefined;

const app = createApp({
  sources: new Map([['hello', webhook({ verify: 'none' })]]),
  dispatcher: {
    async dispatch(event) {
      events.push(event);
      if (event.id === 'held') await new Promise<void>((resolve) => (release = resolve));
      return { started: [], signalled: 0, unmatched: 0, queued: false };
    },
    answer: async () => ({ kind: 'none' }),
  },
  ready: async () => [],
  log(line, { level } = {}) {
    if (level !== 'debug') lines.push(line);
  },
});
const server = createServer(app);
const bounds = { headersMs: server.headersTimeout, requestMs: server.requestTimeout };
giveTime(SHORT);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

beforeEach(() => {
  [events, lines, release] = [[], [], undefined];
});
after(() => {
  server.close();
  server.closeAllConnections();
});

test('The server gives clients ten seconds for headers, and a minute for a request', () => {
  assert.deepEqual(bounds, { headersMs: 10_000, requestMs: 60_000 });
});

describe('A slow sender', () => {
  const slow: Array<[of: string, start: string, drip: string]> = [
    ['of the request line', 'POST /webhooks/hel', 'l'],
    ['of headers', 'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\n', 'x-a: b\r\n'],
    ['of a header', 'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\nx-a: ', 'b'],
    ['of a body', 'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 9999\r\n\r\n', 'a'],
    [
      'of a chunked body',
      'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
      '1\r\na\r\n',
    ],
  ];
  for (const [of, start, drip] of slow) {
    test(`${of} is cut off, and others are served meanwhile`, async () => {
      const startedMs = Date.now();
      const socket = connect(port, '127.0.0.1');
      const answered = readAll(socket);
      socket.write(start);
      const dripping = setInterval(() => socket.write(drip), 50);
      await once(server, 'connection');
      await servePromptly();
      const answer = await answered;
      clearInterval(dripping);
      const tookMs = Date.now() - startedMs;
      assert.match(answer, /^(HTTP\/1\.1 408 Request Timeout\r\nConnection: close\r\n\r\n)?$/);
      assert.ok(tookMs >= HEADERS_MS && tookMs < CUT_OFF_MS, `${tookMs} ms`);
      assert.equal(events.length, 1);
      assert.equal(lines.length, 1);
    });
  }

  test('is one of hundreds, and others are served meanwhile', async () => {
    const sockets = Array.from({ length: SLOW }, () => connect(port, '127.0.0.1'));
    const ended = sockets.map(readAll);
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const [index, socket] of sockets.entries()) {
      socket.write('POST /webhooks/hello HTTP/1.1\r\nhost: x\r\n');
      if (index % 2 === 0) socket.write('content-length: 100\r\n\r\nab');
    }
    for (let time = 0; time < 5; time += 1) await servePromptly();
    await Promise.all(ended);
    await servePromptly();
    await until('only connections that live are held', async () => (await connections()) <= 2);
    assert.equal(events.length, 6);
  });

  test('that reads no answer keeps nobody else waiting', async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    const request = 'GET /webhooks/nobody HTTP/1.1\r\nhost: x\r\n\r\n';
    socket.write(request.repeat(500));
    await servePromptly();
    socket.destroy();
  });
});

describe('A sender that hangs up', () => {
  const head = 'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\n';
  const places: Array<[where: string, sent: string]> = [
    ['before it says anything', ''],
    ['in the request line', 'POST /webh'],
    ['in a header', `${head}x-a: `],
    ['in the body', `${head}content-length: 9\r\n\r\nab`],
    ['in a chunk', `${head}transfer-encoding: chunked\r\n\r\nff\r\nab`],
    [
      'in the body, which is compressed',
      `${head}content-encoding: br\r\ncontent-length: 9\r\n\r\nab`,
    ],
    [
      'while it waits to be told to go on',
      `${head}expect: 100-continue\r\ncontent-length: 9\r\n\r\n`,
    ],
  ];
  for (const [where, sent] of places) {
    for (const how of ['closes', 'resets'] as const) {
      test(`${where}, and ${how} the connection, is no event, and nobody's fault`, async () => {
        const connection = once(server, 'connection');
        const socket = connect(port, '127.0.0.1');
        const [accepted] = (await connection) as [Socket];
        // Its errors are those of a client: they end the connection, and nothing else.
        const closed = new Promise((resolve) => accepted.once('close', resolve));
        socket.write(sent);
        await until('it is read', () => accepted.bytesRead >= sent.length);
        if (how === 'closes') socket.destroy();
        else socket.resetAndDestroy();
        await closed;
        await servePromptly();
        assert.equal(events.length, 1);
        assert.equal(lines.length, 1);
      });
    }
  }

  test('before it is answered has its event taken all the same', async () => {
    const connection = once(server, 'connection');
    const socket = connect(port, '127.0.0.1');
    socket.write(`${head}content-length: 2\r\nidempotency-key: held\r\n\r\nhi`);
    const letGo = await until('the event is on its way', () => release);
    const [accepted] = (await connection) as [Socket];
    const closed = new Promise((resolve) => accepted.once('close', resolve));
    socket.resetAndDestroy();
    await closed;
    letGo();
    await servePromptly();
    assert.deepEqual(
      events.map(({ id }) => id === 'held'),
      [true, false],
    );
    assert.equal(lines.length, 2);
  });
});

describe('More than there is room for', () => {
  // Nobody is slow here, but for the machine: they have the time that the product gives.
  before(() => giveTime(bounds));
  after(() => giveTime(SHORT));

  const large = 'x'.repeat(HEADERS_BYTES_MAX);
  const requests: Array<[what: string, request: string]> = [
    ['in a header', `GET /webhooks/hello HTTP/1.1\r\nhost: x\r\nx-a: ${large}\r\n\r\n`],
    ['in a name', `GET /webhooks/hello HTTP/1.1\r\nhost: x\r\n${large}: a\r\n\r\n`],
    [
      'in all headers',
      `GET /webhooks/hello HTTP/1.1\r\nhost: x\r\n${'x-a: 1234567890\r\n'.repeat(1_500)}\r\n`,
    ],
    ['in the address', `GET /webhooks/hello?${large} HTTP/1.1\r\nhost: x\r\n\r\n`],
  ];
  for (const [what, request] of requests) {
    test(`${what} is 431, and no event`, async () => {
      const socket = connect(port, '127.0.0.1');
      const answered = readAll(socket);
      socket.write(request);
      assert.match(await answered, /^HTTP\/1\.1 431 /);
      await servePromptly();
      assert.equal(events.length, 1);
    });
  }

  test('once it is decompressed is held as it was sent, until all of it is there', async () => {
    const body = gzipSync(Buffer.alloc(EVENT_BYTES_MAX));
    const head = `POST /webhooks/hello HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\n`;
    const request = Buffer.concat([
      Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`),
      body.subarray(0, -8),
    ]);
    const beforeBytes = process.memoryUsage().arrayBuffers;
    const sockets: Socket[] = [];
    for (let sent = 0; sent < COMPRESSED; sent += 1) {
      const connection = once(server, 'connection');
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      const [accepted] = (await connection) as [Socket];
      socket.write(request);
      await until('it is read', () => accepted.bytesRead >= request.length);
      await servePromptly();
    }
    const heldBytes = process.memoryUsage().arrayBuffers - beforeBytes;
    for (const socket of sockets) socket.destroy();
    assert.ok(heldBytes < (COMPRESSED * EVENT_BYTES_MAX) / 4, `${heldBytes} bytes`);
  });

  test('of connections are each answered', async () => {
    const answers = await Promise.all(Array.from({ length: SLOW }, () => serve()));
    assert.deepEqual(new Set(answers), new Set([202]));
    assert.equal(events.length, SLOW);
  });
});

/** Node reads both whenever it looks. */
function giveTime({ headersMs, requestMs }: typeof bounds): void {
  server.headersTimeout = headersMs;
  server.requestTimeout = requestMs;
}

/** Another sender, which must not notice anything. */
async function servePromptly(): Promise<void> {
  const startedMs = Date.now();
  assert.equal(await serve(), 202);
  const tookMs = Date.now() - startedMs;
  assert.ok(tookMs < PROMPT_MS, `${tookMs} ms`);
}

async function serve(): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/webhooks/hello`, {
    method: 'POST',
    headers: { connection: 'close' },
  });
  await answer.arrayBuffer();
  return answer.status;
}

function connections(): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** All that comes until the connection ends, in whatever way. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  socket.on('error', () => {}); // Cut off while it writes: what was answered before counts.
  await once(socket, 'close');
  await setTimeout(0);
  return text;
}

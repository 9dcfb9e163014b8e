// The boundary of the ingress: real HTTP in, events and answers out. The dispatcher
// only records.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { METHODS } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { after, beforeEach, describe, test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import type { LogEntry } from '../config/log.ts';
import type { Dispatched } from '../dispatch/dispatcher.ts';
import { UnavailableError } from '../dispatch/errors.ts';
import { EVENT_BYTES_MAX, EVENT_ID_LENGTH_MAX, type Event } from '../events/event.ts';
import type { WebhookData } from '../events/webhook-body.ts';
import { createApp, createServer } from '../ingress/app.ts';
import { webhook } from '../ingress/sources/webhook.ts';
import type { RejectedRequest } from '../ingress/telemetry.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** An answer that takes longer than this waited for the rest of its request, which has five seconds. */
const PROMPT_MS = 4_500;

const nobody: Dispatched = { started: [], signalled: 0, unmatched: 0, queued: false };

let events: Array<Event<WebhookData>> = [];
let lines: string[] = [];
let entries: LogEntry[] = [];
let acknowledged: Array<{ readonly source: string; readonly seconds: number }> = [];
/** How many were when a workflow was asked for its answer. */
let acknowledgedBefore: number | undefined;
let rejected: RejectedRequest[] = [];
let outcome: Dispatched | Error = nobody;
let missing: readonly string[] = [];
let explain: ((event: Event) => string) | undefined;

const app = createApp({
  sources: new Map([
    ['hello', webhook({ verify: 'none' })],
    ['by-header', webhook({ verify: 'none', eventId: { header: 'X-Event-Id' } })],
    ['by-json', webhook({ verify: 'none', eventId: { json: 'data.ids.0' } })],
    [
      'broken',
      {
        kind: 'broken',
        missing: [],
        receive: async () => assert.fail('a secret'),
        sign: (draft) => draft,
      },
    ],
  ]),
  dispatcher: {
    async dispatch(event) {
      events.push(event as Event<WebhookData>);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
    async answer() {
      acknowledgedBefore = acknowledged.length;
      return { kind: 'none' };
    },
  },
  ready: async () => missing,
  log(line, entry = {}) {
    if (entry.level === 'debug') return;
    lines.push(line);
    entries.push(entry);
  },
  observer: {
    acknowledged: (source, seconds) => acknowledged.push({ source, seconds }),
    rejected: (request) => rejected.push(request),
    filtered: () => assert.fail('no source here has a handler'),
  },
  explain: (event) => explain?.(event) ?? '',
});
const server = createServer(app).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const url = `http://127.0.0.1:${port}`;

beforeEach(() => {
  [events, lines, outcome, missing] = [[], [], nobody, []];
  [entries, acknowledged, rejected] = [[], [], []];
  explain = undefined;
});
after(() => {
  server.close();
  server.closeAllConnections();
});

describe('a request becomes an event', () => {
  test('with the request as its data', async () => {
    const before = Date.now();
    const response = await post('/webhooks/hello/a%20b/c?x=1&y=%C3%A9&x=2', {
      headers: { 'content-type': 'application/json', 'X-Custom': 'Value' },
      body: '{"n":1}',
    });
    assert.equal(response.status, 202);
    const { id, time, data, ...attributes } = onlyEvent();
    assert.deepEqual(attributes, { source: 'hello', type: 'post' });
    assert.match(id, UUID);
    assert.equal(new Date(time).toISOString(), time);
    assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now());
    assert.equal(data.method, 'POST');
    assert.deepEqual(data.url, {
      path: '/webhooks/hello/a b/c',
      path_suffix: '/a b/c',
      query: { x: '1, 2', y: 'é' },
      raw: '/webhooks/hello/a%20b/c?x=1&y=%C3%A9&x=2',
    });
    assert.equal(data.headers['content-type'], 'application/json');
    assert.equal(data.headers['x-custom'], 'Value');
    assert.equal(data.headers.host, undefined);
    assert.deepEqual(data.body.json, { n: 1 });
  });

  test('with the trace that it belongs to', async () => {
    const headers = { traceparent: TRACEPARENT, tracestate: 'vendor=1' };
    await post('/webhooks/hello', { headers });
    const { traceparent, tracestate } = onlyEvent();
    assert.deepEqual({ traceparent, tracestate }, headers);
    events = [];
    await post('/webhooks/hello', { headers: { ...headers, traceparent: 'nonsense' } });
    assert.ok(!('traceparent' in onlyEvent()) && !('tracestate' in onlyEvent()));
  });

  const paths: Array<[method: string, path: string, suffix: string]> = [
    ['GET', '/webhooks/hello', ''],
    ['GET', '/webhooks/hello/', '/'],
    ['POST', '/webhooks/hello/test', '/test'],
    ['POST', '/webhooks/hello//x//', '//x//'],
    ['POST', '/webhooks/hello/webhooks/hello', '/webhooks/hello'],
    ['GET', '/webhooks/hello/../x', '/../x'],
  ];
  for (const [method, path, suffix] of paths) {
    test(`${method} ${path} without a body has a body that is null in every way`, async () => {
      const answer = await raw(
        `${method} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1.1 202 /);
      const { data } = onlyEvent();
      assert.equal(data.url.path, path);
      assert.equal(data.url.path_suffix, suffix);
      assert.deepEqual({ ...data.body }, { text: null, bytes: null, json: null, form: null });
    });
  }

  for (const method of METHODS.filter((name) => name !== 'CONNECT')) {
    test(`by ${method}`, async () => {
      const answer = await raw(
        `${method} /webhooks/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi`,
      );
      assert.match(answer, /^HTTP\/1.1 202 /);
      assert.equal(onlyEvent().type, method.toLowerCase());
      assert.equal(onlyEvent().data.method, method);
      assert.equal(onlyEvent().data.body.text, 'hi');
    });
  }

  test('with repeated headers joined, whatever Node thinks of them', async () => {
    const headers = [
      'X-A: 1',
      'x-a: 2',
      'Set-Cookie: a=1',
      'set-cookie: b=2',
      'User-Agent: one',
      'user-agent: two',
      '__proto__: p',
      'Connection: close',
    ];
    await raw(`GET /webhooks/hello HTTP/1.1\r\nHost: x\r\n${headers.join('\r\n')}\r\n\r\n`);
    assert.deepEqual(Object.entries(onlyEvent().data.headers), [
      ['x-a', '1, 2'],
      ['set-cookie', 'a=1, b=2'],
      ['user-agent', 'one, two'],
      ['__proto__', 'p'],
      ['connection', 'close'],
    ]);
  });

  test('by its path, when a proxy sends the whole address', async () => {
    await raw(
      'GET http://example.com/webhooks/hello/a?b=c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    assert.equal(onlyEvent().data.url.raw, '/webhooks/hello/a?b=c');
    assert.equal(onlyEvent().data.url.path_suffix, '/a');
  });

  test('with query parameters called __proto__ as only parameters', async () => {
    await post('/webhooks/hello?__proto__=1&a=%2B+&b');
    const { query } = onlyEvent().data.url;
    assert.deepEqual(Object.entries(query), [
      ['__proto__', '1'],
      ['a', '+ '],
      ['b', ''],
    ]);
  });
});

describe('a body', () => {
  const sizes: Array<[what: string, bytes: number]> = [
    ['empty', 0],
    ['of 512 KiB', 512 * 1024],
    ['of exactly 1 MiB', EVENT_BYTES_MAX],
  ];
  for (const [what, bytes] of sizes) {
    test(`${what} is taken, with its length and chunked`, async () => {
      for (const body of [Buffer.alloc(bytes, 'a'), chunked(bytes)]) {
        events = [];
        const response = await post('/webhooks/hello', { body });
        assert.equal(response.status, 202);
        assert.equal(onlyEvent().data.body.bytes?.length ?? 0, bytes);
      }
    });
  }

  test('of a byte more is refused, with its length and chunked', async () => {
    for (const body of [Buffer.alloc(EVENT_BYTES_MAX + 1), chunked(EVENT_BYTES_MAX + 1)]) {
      assert.deepEqual(await problemOf(post('/webhooks/hello', { body })), {
        status: 413,
        title: 'Body too large',
        detail: 'body is larger than 1048576 bytes',
        reason: 'BODY_TOO_LARGE',
      });
    }
    assert.deepEqual(events, []);
  });

  test('that is too large is refused at once, though its rest never comes', async () => {
    const head = 'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\n';
    const part = Buffer.alloc(EVENT_BYTES_MAX + 1).toString();
    const requests = [
      `${head}content-length: ${EVENT_BYTES_MAX + 1}\r\n\r\n`,
      `${head}transfer-encoding: chunked\r\n\r\n${part.length.toString(16)}\r\n${part}\r\n`,
    ];
    for (const request of requests) {
      const startedMs = Date.now();
      assert.match(await raw(request, 'larger than'), /^HTTP\/1.1 413 /);
      assert.ok(Date.now() - startedMs < PROMPT_MS);
    }
  });

  test('that is too large and never ends ends the connection', async () => {
    const head = 'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\n';
    const answer = await raw(`${head}content-length: ${2 * EVENT_BYTES_MAX}\r\n\r\na`);
    assert.match(answer, /^HTTP\/1.1 413 /);
  });

  test('that is too large leaves the connection usable', async () => {
    const large = Buffer.alloc(EVENT_BYTES_MAX + 1, 'a').toString();
    const head = 'POST /webhooks/hello HTTP/1.1\r\nhost: x\r\ncontent-length:';
    const answers = await raw(
      `${head} ${large.length}\r\n\r\n${large}${head} 2\r\nconnection: close\r\n\r\nhi`,
    );
    assert.deepEqual(answers.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 413', 'HTTP/1.1 202']);
    assert.equal(onlyEvent().data.body.text, 'hi');
  });

  test('that is not UTF-8 is bytes', async () => {
    const bytes = Uint8Array.of(0xff, 0x00, 0xc3, 0x28);
    await post('/webhooks/hello', { body: bytes });
    assert.deepEqual({ ...onlyEvent().data.body }, { text: null, bytes, json: null, form: null });
  });

  test('that is a form is a map, and no JSON', async () => {
    const body = new URLSearchParams([
      ['a', '1'],
      ['b', 'é&'],
      ['a', '2'],
    ]);
    await post('/webhooks/hello', { body });
    assert.deepEqual(onlyEvent().data.body.form, { a: '1, 2', b: 'é&' });
    assert.equal(onlyEvent().data.body.json, null);
  });

  const jsons: Array<[body: string, json: unknown]> = [
    ['{"a":1', null],
    ['{"a":1}\n{"b":2} tail', { a: 1 }],
  ];
  for (const [body, json] of jsons) {
    test(`${JSON.stringify(body)} is accepted as what it is`, async () => {
      const headers = { 'content-type': 'application/json' };
      assert.equal((await post('/webhooks/hello', { body, headers })).status, 202);
      assert.deepEqual(onlyEvent().data.body.json, json);
      assert.equal(onlyEvent().data.body.text, body);
    });
  }

  const compressors = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
  for (const [encoding, compress] of Object.entries(compressors)) {
    test(`in ${encoding} is read, and its limit counts after inflation`, async () => {
      const headers = { 'content-encoding': encoding.toUpperCase() };
      const send = (body: Uint8Array) => post('/webhooks/hello', { headers, body: compress(body) });
      assert.equal((await send(Buffer.from('{"a":1}'))).status, 202);
      assert.deepEqual(onlyEvent().data.body.json, { a: 1 });
      assert.equal((await send(Buffer.alloc(EVENT_BYTES_MAX))).status, 202);
      assert.equal((await send(Buffer.alloc(EVENT_BYTES_MAX + 1))).status, 413);
      assert.equal((await send(Buffer.alloc(20 * EVENT_BYTES_MAX))).status, 413);
    });

    test(`that is not the ${encoding} it says is refused`, async () => {
      const headers = { 'content-encoding': encoding };
      const whole = compress(Buffer.from('some text that is long enough to be cut'));
      for (const body of [Buffer.from('not compressed'), whole.subarray(0, -6)]) {
        const { status, title } = await problemOf(post('/webhooks/hello', { headers, body }));
        assert.deepEqual([status, title], [400, 'Bad request']);
      }
      assert.deepEqual(events, []);
    });
  }

  test('that goes on after its compressed part is taken without the rest', async () => {
    const headers = { 'content-encoding': 'gzip' };
    const body = Buffer.concat([gzipSync('hi'), Buffer.alloc(EVENT_BYTES_MAX)]);
    assert.equal((await post('/webhooks/hello', { headers, body })).status, 202);
    assert.equal(onlyEvent().data.body.text, 'hi');
  });

  test('that is not there may still name an encoding', async () => {
    await raw(
      'POST /webhooks/hello HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n',
    );
    assert.equal(onlyEvent().data.body.bytes, null);
  });

  for (const encoding of ['zip', 'gzip, gzip', 'toString']) {
    test(`in ${encoding} is refused, with the encodings there are`, async () => {
      const headers = { 'content-encoding': encoding };
      const response = await post('/webhooks/hello', { headers, body: 'x' });
      assert.equal(response.headers.get('accept-encoding'), 'gzip, deflate, br');
      assert.equal(response.status, 415);
      assert.deepEqual(events, []);
    });
  }

  test('that breaks off is no event, and nothing is logged', async () => {
    for (const rest of ['', 'content-encoding: gzip\r\n']) {
      const socket = connect(port, '127.0.0.1');
      const request = once(server, 'request');
      socket.write(
        `POST /webhooks/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n${rest}\r\nab`,
      );
      await request;
      const closed = once(socket, 'close');
      socket.destroy();
      await closed;
    }
    assert.equal((await post('/webhooks/hello?after')).status, 202);
    assert.equal(onlyEvent().data.url.raw, '/webhooks/hello?after');
    assert.equal(lines.length, 1);
  });
});

describe('the id of an event', () => {
  const ids: Array<[what: string, source: string, init: RequestInit, id: string | RegExp]> = [
    ['is a UUID if there is none', 'hello', {}, UUID],
    ['is Idempotency-Key', 'hello', header('Idempotency-Key', 'i-1'), 'i-1'],
    ['is webhook-id', 'hello', header('webhook-id', 'w-1'), 'w-1'],
    ['is ce-id', 'hello', header('ce-id', 'c-1'), 'c-1'],
    [
      'is Idempotency-Key before others',
      'hello',
      { headers: { 'ce-id': 'c', 'idempotency-key': 'i' } },
      'i',
    ],
    ['is in the configured header', 'by-header', header('x-event-id', 'x-1'), 'x-1'],
    [
      'is in the configured header before others',
      'by-header',
      { headers: { 'x-event-id': 'x', 'ce-id': 'c' } },
      'x',
    ],
    ['is in another header if the configured is not there', 'by-header', header('ce-id', 'c'), 'c'],
    ['is at the configured path', 'by-json', asJson({ data: { ids: ['j-1'] } }), 'j-1'],
    ['is a number at the configured path', 'by-json', asJson({ data: { ids: [17] } }), '17'],
    ['is a UUID if nothing is at the path', 'by-json', asJson({ data: {} }), UUID],
    ['is a UUID if an object is at the path', 'by-json', asJson({ data: { ids: [{}] } }), UUID],
    ['is a UUID if the body is no JSON', 'by-json', { body: 'hello' }, UUID],
    [
      'may be as long as the limit',
      'hello',
      header('ce-id', 'a'.repeat(EVENT_ID_LENGTH_MAX)),
      /^a+$/,
    ],
  ];
  for (const [what, source, init, id] of ids) {
    test(what, async () => {
      const response = await post(`/webhooks/${source}`, init);
      const answer = (await response.json()) as { id: string };
      assert.equal(response.status, 202);
      assert.match(onlyEvent().id, typeof id === 'string' ? new RegExp(`^${id}$`) : id);
      assert.equal(answer.id, onlyEvent().id);
      assert.equal(response.headers.get('nextevent-id'), onlyEvent().id);
    });
  }

  const refusals: Array<[what: string, source: string, init: RequestInit, detail: RegExp]> = [
    ['empty', 'hello', header('ce-id', ''), /event id is empty/],
    ['empty at the path', 'by-json', asJson({ data: { ids: [''] } }), /event id is empty/],
    ['too long', 'hello', header('ce-id', 'a'.repeat(257)), /257 characters, at most 256/],
    [
      'with a control character',
      'by-json',
      asJson({ data: { ids: ['a\nb'] } }),
      /control character/,
    ],
    [
      'a rounded number',
      'by-json',
      { body: '{"data":{"ids":[9007199254740993]}}' },
      /not an integer/,
    ],
    ['a fraction', 'by-json', asJson({ data: { ids: [1.5] } }), /event id at data.ids.0 is 1.5/],
  ];
  for (const [what, source, init, detail] of refusals) {
    test(`is refused if it is ${what}`, async () => {
      const problem = await problemOf(post(`/webhooks/${source}`, init));
      assert.equal(problem.status, 400);
      assert.match(problem.detail ?? '', detail);
      assert.deepEqual(events, []);
    });
  }

  test('is in the header in a form that headers allow', async () => {
    const response = await post('/webhooks/by-json', asJson({ data: { ids: ['é 😀'] } }));
    assert.equal(onlyEvent().id, 'é 😀');
    assert.equal(response.headers.get('nextevent-id'), '%C3%A9%20%F0%9F%98%80');
  });
});

describe('the answer', () => {
  test('says what the event started and woke', async () => {
    outcome = { started: ['approval-1'], signalled: 2, unmatched: 3, queued: false };
    const response = await post('/webhooks/hello');
    assert.deepEqual(await response.json(), {
      id: onlyEvent().id,
      started: ['approval-1'],
      signalled: 2,
    });
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    assert.equal(response.headers.get('x-powered-by'), null);
    assert.equal(response.headers.get('etag'), null);
  });

  test('says that the event is queued', async () => {
    outcome = { started: ['approval-1'], signalled: 1, unmatched: 0, queued: true };
    const response = await post('/webhooks/hello');
    assert.equal(response.status, 202);
    assert.deepEqual(await response.json(), { id: onlyEvent().id, queued: true });
    assert.equal(response.headers.get('nextevent-id'), onlyEvent().id);
  });

  test('to HEAD has no body', async () => {
    const answer = await raw(
      'HEAD /webhooks/hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1.1 202 /);
    assert.match(answer, new RegExp(`\r\nNextEvent-Id: ${onlyEvent().id}\r\n`));
    assert.ok(answer.endsWith('\r\n\r\n'));
  });

  const logged: Array<[dispatched: Partial<Dispatched>, line: string]> = [
    [{}, 'hello post -> nobody waits'],
    [{ unmatched: 3 }, 'hello post -> no match 3'],
    [{ signalled: 2 }, 'hello post -> woke 2'],
    [{ queued: true }, 'hello post -> queued'],
    [
      { started: ['approval-1'], signalled: 2, unmatched: 3 },
      'hello post -> started approval-1, woke 2, no match 3',
    ],
    [{ started: ['a', 'b'], queued: true }, 'hello post -> started a, started b, queued'],
  ];
  for (const [dispatched, line] of logged) {
    test(`is logged as ${line}`, async () => {
      outcome = { ...nobody, ...dispatched };
      await post('/webhooks/hello');
      assert.deepEqual(lines, [line]);
    });
  }

  test('is logged for machines, without what was in it', async () => {
    const asked = { workflowId: 'w', withinMs: 1_000 };
    outcome = { started: ['w'], signalled: 2, unmatched: 3, queued: false, respondent: asked };
    const headers = { 'webhook-id': 'e1', 'x-request-id': 'r-1' };
    await post('/webhooks/hello', { headers, body: 'a secret' });
    assert.deepEqual(entries, [
      {
        source: 'hello',
        eventId: 'e1',
        eventType: 'post',
        requestId: 'r-1',
        started: ['w'],
        signalled: 2,
        unmatched: 3,
        queued: false,
      },
    ]);
  });

  test('is told to whoever counts, once it is answered', async () => {
    await post('/webhooks/hello');
    outcome = { ...nobody, started: ['w'], respondent: { workflowId: 'w', withinMs: 1_000 } };
    await post('/webhooks/hello');
    assert.equal(acknowledgedBefore, 1, 'the second waits for its workflow');
    assert.deepEqual(
      acknowledged.map(({ source }) => source),
      ['hello', 'hello'],
    );
    assert.ok(acknowledged.every(({ seconds }) => seconds > 0 && seconds < 60));
    assert.deepEqual(rejected, []);
  });

  test('is logged with the reason if nobody wanted the event, and only then', async () => {
    explain = (event) => `nobody likes ${event.id}`;
    outcome = { ...nobody, unmatched: 3 };
    await post('/webhooks/hello', { headers: { 'webhook-id': 'e1' } });
    outcome = { ...nobody, unmatched: 3, signalled: 1 };
    await post('/webhooks/hello');
    outcome = { ...nobody };
    await post('/webhooks/hello');
    assert.deepEqual(lines, [
      'hello post -> no match 3: nobody likes e1',
      'hello post -> woke 1, no match 3',
      'hello post -> nobody waits',
    ]);
  });
});

describe('a problem', () => {
  const nowhere = [
    '/',
    '/webhooks',
    '/webhooks/',
    '/webhooks//hello',
    '/webhooks/nope',
    '/webhooks/Hello',
    '/Webhooks/hello',
    '/webhooks/hello%2Fa',
    '/webhooks/__proto__',
    '/healthz/x',
  ];
  for (const path of nowhere) {
    test(`is that nothing is at ${path}`, async () => {
      const problem = await problemOf(post(path, { body: 'x' }));
      assert.deepEqual([problem.status, problem.title], [404, 'Not found']);
      assert.deepEqual(events, []);
    });
  }

  for (const path of ['hello/%zz', 'hello/%ff', '%', 'hello?a=%', 'hello?a=%4']) {
    test(`is the malformed encoding of /webhooks/${path}`, async () => {
      const answer = await raw(
        `GET /webhooks/${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1.1 400 /);
      assert.match(answer, /malformed percent-encoding in the (path|query)/);
      assert.deepEqual(events, []);
    });
  }

  test('is told to whoever counts, without its query', async () => {
    outcome = new UnavailableError('10.0.0.7 refuses', 2);
    const headers = { 'x-request-id': 'r-1' };
    const { status } = await post('/webhooks/hello?a=secret', { headers });
    const [{ error, ...rest } = {}, ...more] = rejected;
    assert.equal(error, outcome);
    assert.deepEqual(rest, {
      status,
      path: '/webhooks/hello',
      remoteAddress: '127.0.0.1',
      requestId: 'r-1',
    });
    assert.deepEqual([more, acknowledged], [[], []]);
    const [{ level, error: logged, ...entry } = {}] = entries;
    assert.deepEqual([level, logged], ['error', outcome]);
    assert.deepEqual(entry, { ...rest, method: 'POST' });
    assert.doesNotMatch(lines.join(), /secret/);
  });

  test('is an unknown source before anything of the body', async () => {
    const request = post('/webhooks/nope', { body: Buffer.alloc(2 * EVENT_BYTES_MAX) });
    assert.equal((await problemOf(request)).status, 404);
  });

  test('is that Temporal is away, and when to try again', async () => {
    outcome = new UnavailableError('10.0.0.7 refuses', 2.5);
    const response = await post('/webhooks/hello');
    assert.equal(response.headers.get('retry-after'), '3');
    assert.equal(response.headers.get('nextevent-id'), null);
    assert.deepEqual(await problemOf(Promise.resolve(response)), {
      status: 503,
      title: 'Unavailable',
      detail: 'the event could not be made durable; send it again',
    });
    const id = response.headers.get('x-request-id');
    assert.deepEqual(lines, [`POST /webhooks/hello (${id}) unavailable: 10.0.0.7 refuses`]);
  });

  test('of ours tells its details to the log only', async () => {
    outcome = new Error('a secret');
    for (const source of ['hello', 'broken']) {
      lines = [];
      assert.deepEqual(await problemOf(post(`/webhooks/${source}`)), {
        status: 500,
        title: 'Internal error',
      });
      assert.equal(lines.length, 1);
      assert.match(
        lines[0] ?? '',
        new RegExp(`^POST /webhooks/${source} \\(\\S+\\) failed: .*a secret`),
      );
    }
  });
});

describe('health', () => {
  test('the process lives', async () => {
    missing = ['everything'];
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  });

  test('it is ready when nothing is missing', async () => {
    const response = await fetch(`${url}/readyz`);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status: 'ready' });
  });

  test('it is not ready, and says what is missing', async () => {
    missing = ['no worker polls the task queue nextevent'];
    const response = await fetch(`${url}/readyz`);
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), { status: 'not ready', missing });
  });
});

function onlyEvent(): Event<WebhookData> {
  assert.equal(events.length, 1);
  return events[0]!;
}

function header(name: string, value: string): RequestInit {
  return { headers: { [name]: value } };
}

function asJson(value: unknown): RequestInit {
  return { body: JSON.stringify(value) };
}

function post(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url + path, { method: 'POST', ...init, ...(init.body ? { duplex: 'half' } : {}) });
}

interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
}

async function problemOf(answered: Promise<Response>): Promise<Problem> {
  const response = await answered;
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(response.headers.get('cache-control'), 'no-cache');
  const { requestId, ...problem } = (await response.json()) as Problem & { requestId: string };
  assert.equal(problem.status, response.status);
  assert.equal(requestId, response.headers.get('x-request-id'));
  return problem;
}

function chunked(bytes: number): ReadableStream<Uint8Array> {
  return new Blob([Buffer.alloc(bytes, 'a')]).stream();
}

/** Sends these very bytes, and returns the answer up to `until`, or to the end of the connection. */
async function raw(request: string, until?: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  let answer = '';
  for await (const chunk of socket) {
    answer += String(chunk);
    if (until !== undefined && answer.includes(until)) break;
  }
  return answer;
}

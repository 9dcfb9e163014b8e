// Sources with a handler, which gets the whole request, and says what it is and what its sender
// hears. Real HTTP in; the dispatcher only records, but in the last part.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import express from 'express';
import {
  defineSource,
  parseBody,
  RejectedError,
  webhook,
  type Event,
  type Handled,
  type HandlerRequest,
  type HttpResponse,
} from 'nextevent';
import { startTestApp, startTestServer, type TestApp, type TestServer } from 'nextevent/testing';
import { z } from 'zod';

import type { Dispatched } from '../dispatch/dispatcher.ts';
import { UnavailableError } from '../dispatch/errors.ts';
import { EVENT_BYTES_MAX } from '../events/event.ts';
import { createApp, createServer } from '../ingress/app.ts';
import type { Rejection } from '../ingress/rejections.ts';
import { Telemetry } from '../ingress/telemetry.ts';
import { startIngress } from '../testing/ingress.ts';
import { orders } from './own-handler.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';

const WORKFLOWS_PATH = fileURLToPath(new URL('workflows/index.ts', import.meta.url));
const SECRET = 'a secret';

/** How long the handler of `hanging` may take. */
const HANDLER_MS = 200;

/** An answer that takes longer than this was not prompt. */
const PROMPT_MS = 10_000;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const nobody: Dispatched = { started: [], signalled: 0, unmatched: 0, queued: false };

/** What the handler of `free` does next, and what it was called with. */
let handle: (request: HandlerRequest) => unknown = () => assert.fail('not expected');
let requests: HandlerRequest[] = [];

let events: Event[] = [];
let lines: string[] = [];
let outcome: Dispatched | Error = nobody;
let answered: HttpResponse = {};

function callHandle(request: HandlerRequest): Handled<unknown> {
  requests.push(request);
  return handle(request) as Handled<unknown>;
}

const Payload = z.object({ number: z.string(), total: z.number() });

const sources = new Map([
  ['free', webhook({ verify: 'none', eventId: { header: 'x-event' }, handler: callHandle })],
  ['hanging', webhook({ verify: 'none', handler: callHandle, handlerTimeout: HANDLER_MS })],
  [
    'parsing',
    webhook({
      verify: 'none',
      handler: async (request) => ({ kind: 'event', result: await parseBody(request, Payload) }),
    }),
  ],
  [
    'verified',
    defineSource({
      kind: 'verified',
      secret: SECRET,
      verify({ headers }, secrets) {
        if (!secrets.includes(headers['x-key'] ?? '')) return false;
        return headers['x-at'] === undefined || new Date(headers['x-at']);
      },
      handshake: ({ method }) => (method === 'OPTIONS' ? { body: 'shaken' } : undefined),
      handler: callHandle,
    }),
  ],
  ['orders', orders],
]);

const telemetry = new Telemetry([...sources.keys()]);
const app = express().get('/metrics', telemetry.answerMetrics);
app.use(
  createApp({
    sources,
    dispatcher: {
      async dispatch(event) {
        if (outcome instanceof Error) throw outcome;
        events.push(event);
        return outcome;
      },
      answer: async () => ({ kind: 'response', response: answered }),
    },
    ready: async () => [],
    log(line, { level } = {}) {
      if (level !== 'debug') lines.push(line);
    },
    observer: telemetry,
  }),
);
const server = createServer(app).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const url = `http://127.0.0.1:${port}`;

beforeEach(() => {
  [events, requests, lines, outcome, answered] = [[], [], [], nobody, {}];
  handle = () => assert.fail('not expected');
});
after(() => {
  server.close();
  server.closeAllConnections();
});

describe('A handler', () => {
  test('K-04: gets the whole request, and may decide by any part of it', async () => {
    handle = ({ method, headers, url: { path_suffix }, query, rawBody, body }) =>
      method === 'PUT' && headers['x-kind'] === 'stock'
        ? {
            kind: 'event',
            type: `stock${path_suffix}`,
            result: { ...query, bytes: rawBody.length, text: body.text, json: body.json },
          }
        : { kind: 'event', result: 'other', subject: 'a subject' };
    const body = '{"n":1} é';
    const headers = { 'X-Kind': 'stock' };
    await send('free/in/1?a=1&a=2&b=%20', { method: 'PUT', headers, body });
    await send('free', { method: 'POST', headers, body });
    const result = { a: '1, 2', b: ' ', bytes: 10, text: body, json: { n: 1 } };
    assert.deepEqual(
      events.map(({ type, subject, data }) => ({ type, subject, data })),
      [
        { type: 'stock/in/1', subject: undefined, data: result },
        { type: 'post', subject: 'a subject', data: 'other' },
      ],
    );
    const [first] = requests;
    assert.equal(first?.source, 'free');
    assert.equal(first.url.raw, '/webhooks/free/in/1?a=1&a=2&b=%20');
    assert.equal(first.headers.host, undefined);
    assert.deepEqual(Buffer.from(first.rawBody), Buffer.from(body));
  });

  const forms = { 'content-type': 'application/x-www-form-urlencoded' };

  test('K-05: gives a body that is JSON no fields, whatever its content type says', async () => {
    const seen: unknown[] = [];
    handle = ({ body }) => {
      seen.push(body.form);
      return { kind: 'event', result: body.json ?? 'a form' };
    };
    for (const body of ['{"text":"&type=forged&"}', 'type=right']) {
      assert.equal((await send('free', { body, headers: forms })).status, 204);
    }
    assert.deepEqual(seen, [null, { type: 'right' }]);
  });

  const bodies: Array<[what: string, body: string | Uint8Array, why: RegExp, headers?: object]> = [
    ['empty', '', /the body is not JSON/],
    ['malformed', '{"number":', /the body is not JSON/],
    ['not UTF-8', Uint8Array.of(0xff), /the body is not JSON/],
    ['followed by something', '{} and more', /the body is not JSON/],
    ['null', 'null', /the body is not as it must be: .*expected object, received null/],
    ['incomplete', '{"number":"1"}', /the body is not as it must be: total: /],
    ['of a wrong type', '{"number":1,"total":"x"}', /: number: .*; total: /],
    ['a form with text', 'number=1&total=x', /: total: .*expected number/, forms],
  ];
  for (const [what, body, why, headers = {}] of bodies) {
    test(`K-05: parses a body by a schema: one that is ${what} is refused`, async () => {
      const refused = await refusedAs(send('parsing', { body, headers: { ...headers } }), {
        status: 400,
        reason: 'PARSE',
      });
      assert.match(refused, why);
    });
  }

  test('K-05: parses a body by a schema, which says what is taken of it', async () => {
    assert.equal(
      (await send('parsing', { body: '{"number":"1","total":2,"more":3}' })).status,
      204,
    );
    assert.deepEqual(onlyEvent().data, { number: '1', total: 2 });
  });

  for (const result of [null, undefined]) {
    test(`K-05: that finds ${result} in a request has it refused`, async () => {
      handle = () => ({ kind: 'event', result, response: { status: 200 } });
      const asked = send('free', { body: 'null' });
      const why = await refusedAs(asked, { status: 400, reason: 'PARSE' });
      assert.equal(why, 'there is no event in the request');
    });
  }

  test('K-07: answers a question, and that is no event', async () => {
    handle = ({ query }) => ({ kind: 'preflight', response: { body: query.challenge } });
    const answer = await send('free?challenge=%3Cb%3Ehello');
    assert.deepEqual([answer.status, await answer.text()], [200, '<b>hello']);
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(answer.headers.get('nextevent-id'), null);
    assert.deepEqual([events, lines], [[], []]);
  });

  for (const kind of ['event', 'preflight'] as const) {
    test(`K-08: says what the sender hears, as it is: ${kind}`, async () => {
      const responses: Array<[response: HttpResponse, ...heard: unknown[]]> = [
        [{ status: 418, headers: { 'X-Own': 'yes' }, body: 'tea' }, 418, 'tea', 'text/plain'],
        [{ body: { challenge: 1 } }, 200, '{"challenge":1}', 'application/json'],
        [{ body: '<a/>', headers: { 'content-type': 'text/xml' } }, 200, '<a/>', 'text/xml'],
        [{ body: [1, null] }, 200, '[1,null]', 'application/json'],
        [{ body: '' }, 200, '', 'text/plain'],
        [{ status: 200 }, 200, '', undefined],
        [{ status: 302, headers: { Location: '/there' } }, 302, '', undefined],
        [{ status: 204, body: 'no place for it' }, 204, '', undefined],
        [{ status: 205, body: 'no place for it' }, 205, '', undefined],
      ];
      for (const [response, ...heard] of responses) {
        handle = () => ({ kind, response, result: 1 });
        const answer = await send('free', { redirect: 'manual' });
        const type = answer.headers.get('content-type')?.split(';', 1)[0];
        assert.deepEqual([answer.status, await answer.text(), type], heard);
        for (const [name, value] of Object.entries(response.headers ?? {})) {
          assert.equal(answer.headers.get(name), value);
        }
      }
      assert.equal(events.length, kind === 'event' ? responses.length : 0);
    });

    test(`K-08: says nothing, and the sender hears 204: ${kind}`, async () => {
      handle = async () => ({ kind, result: 1 });
      const answer = await send('free', { headers: { 'x-event': 'e-1' } });
      assert.deepEqual([answer.status, await answer.text()], [204, '']);
      assert.equal(answer.headers.get('content-length'), null);
      assert.equal(answer.headers.get('nextevent-id'), kind === 'event' ? 'e-1' : null);
      assert.equal(events.length, kind === 'event' ? 1 : 0);
    });
  }

  test('K-08: leaves the connection as it was, whatever it answers', async () => {
    handle = ({ query: { status } }) => ({
      kind: 'preflight',
      response: { status: Number(status), body: 'text' },
    });
    const answers = await raw(
      [204, 205, 304, 200].map((status) => asking('GET', status)).join('') +
        asking('HEAD', 200) +
        asking('GET', 418, 'connection: close\r\n'),
    );
    const statuses = [...answers.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => Number(status));
    assert.deepEqual(statuses, [204, 205, 304, 200, 200, 418]);
    assert.equal(answers.match(/text(?=HTTP|$)/g)?.length, 2);
  });

  test('K-20: filters: no start, and it is counted', async () => {
    const filtered = await filteredOf('free');
    handle = ({ body }) =>
      body.text === 'wanted'
        ? { kind: 'event', result: body.text }
        : { kind: 'preflight', response: { status: 200 } };
    for (const body of ['no', 'wanted', 'neither']) {
      assert.ok((await send('free', { body })).ok);
    }
    assert.equal(onlyEvent().data, 'wanted');
    assert.equal(await filteredOf('free'), filtered + 2);
    assert.equal(await filteredOf('orders'), 0);
  });
});

describe('The event of a handler', () => {
  test('has the id that the handler gives, else that of the request, else a new one', async () => {
    handle = ({ body }) => ({ kind: 'event', result: 1, id: body.text ?? undefined });
    await send('free', { body: 'own', headers: { 'x-event': 'placed', 'webhook-id': 'header' } });
    await send('free', { headers: { 'x-event': 'placed', 'webhook-id': 'header' } });
    await send('free', { headers: { 'webhook-id': 'header' } });
    await send('verified', { headers: { 'x-key': SECRET, 'idempotency-key': 'key' } });
    await send('free');
    const ids = events.map(({ id }) => id);
    assert.deepEqual(ids.slice(0, 4), ['own', 'placed', 'header', 'key']);
    assert.match(ids[4] ?? '', UUID);
  });

  test('has the data that JSON makes of the result: what filters see, workflows get', async () => {
    const at = new Date(0);
    const own = { at, none: undefined, nan: Number.NaN, list: [undefined] };
    handle = () => ({ kind: 'event', result: own });
    await send('free');
    const data = { at: '1970-01-01T00:00:00.000Z', nan: null, list: [null] };
    assert.deepEqual(onlyEvent().data, data);
  });

  test('has the trace that its request belongs to', async () => {
    handle = () => ({ kind: 'event', result: 1 });
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await send('free', { headers: { traceparent } });
    assert.equal(onlyEvent().traceparent, traceparent);
  });

  const refused: Array<[what: string, handled: object, status: number, reason: string]> = [
    ['with an empty id', { result: 1, id: '' }, 400, 'PARSE'],
    ['with an id that is too long', { result: 1, id: 'x'.repeat(257) }, 400, 'PARSE'],
    ['with an empty type', { result: 1, type: '' }, 400, 'PARSE'],
    ['that is too large', { result: 'x'.repeat(EVENT_BYTES_MAX) }, 413, 'BODY_TOO_LARGE'],
    [
      'that poses as a stored body',
      { result: { body: { 'nextevent:body': 'utf8', content: '{}' } } },
      400,
      'PARSE',
    ],
  ];
  for (const [what, handled, status, reason] of refused) {
    test(`${what} is refused`, async () => {
      handle = () => ({ kind: 'event', ...handled });
      await refusedAs(send('free'), { status, reason });
    });
  }

  test('of data that is nested too deep is refused', async () => {
    for (const levels of [1_001, 60_000]) {
      handle = ({ body }) => ({ kind: 'event', result: JSON.parse(body.text ?? '') });
      const asked = send('free', { body: '['.repeat(levels) + ']'.repeat(levels) });
      const why = await refusedAs(asked, { status: 400, reason: 'PARSE' });
      assert.equal(why, 'the body is nested deeper than 1000');
    }
  });

  test('of data that JSON can not have is a fault of ours', async () => {
    for (const result of [1n, () => {}, cyclic()]) {
      handle = () => ({ kind: 'event', result });
      assert.equal((await send('free')).status, 500);
    }
    assert.deepEqual(events, []);
  });

  test('is answered with 503 if it can not be made durable, whatever the handler says', async () => {
    handle = () => ({ kind: 'event', result: 1, response: { status: 200, body: 'fine' } });
    outcome = new UnavailableError('away', 2);
    const answer = await send('free');
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '2']);
    assert.doesNotMatch(await answer.text(), /fine/);
  });

  test('is answered by its workflow, unless the handler answers', async () => {
    outcome = { ...nobody, started: ['w'], respondent: { workflowId: 'w', withinMs: 1_000 } };
    answered = { status: 201, body: 'by the workflow' };
    handle = () => ({ kind: 'event', result: 1 });
    assert.equal(await (await send('free')).text(), 'by the workflow');
    handle = () => ({ kind: 'event', result: 1, response: { body: 'by the handler' } });
    assert.equal(await (await send('free')).text(), 'by the handler');
  });
});

describe('The way of a request to a handler', () => {
  const withKey = { 'x-key': SECRET };

  test('is route, size, verification, handshake, freshness, and then the handler', async () => {
    handle = () => ({ kind: 'event', result: 'taken' });
    const large = { body: Buffer.alloc(EVENT_BYTES_MAX + 1), headers: withKey };
    await refusedAs(send('verified', large), { status: 413, reason: 'BODY_TOO_LARGE' });
    await refusedAs(send('verified'), { status: 401, reason: 'SIGNATURE' });
    const stale = { headers: { ...withKey, 'x-at': '2020-01-01T00:00:00Z' } };
    await refusedAs(send('verified', stale), { status: 401, reason: 'TIMESTAMP' });
    const shaken = await send('verified', { method: 'OPTIONS', ...stale });
    assert.equal(await shaken.text(), 'shaken');
    assert.deepEqual(requests, []);
    const fresh = { ...withKey, 'x-at': new Date().toISOString() };
    assert.equal((await send('verified', { headers: fresh })).status, 204);
    assert.deepEqual([onlyEvent().data, requests.length], ['taken', 1]);
  });

  test('is not that of a kind that makes events, too', () => {
    const both = { toEvents: () => [], handler: callHandle };
    assert.throws(() => defineSource({ kind: 'both', verify: 'none', ...both } as never), {
      name: 'ConfigError',
      message: /there is a handler and toEvents/,
    });
  });

  const options: Array<[what: string, options: object, why: RegExp]> = [
    ['that is no function', { handler: 'f' }, /^webhook: handler is not a function/],
    ['that may take no time', { handlerTimeout: 0 }, /handlerTimeout is 0, must be up to/],
    ['that may take too long', { handlerTimeout: '2 minutes' }, /handlerTimeout is 2 minutes/],
    ['that may take no duration', { handlerTimeout: 'long' }, /handlerTimeout is long/],
  ];
  for (const [what, given, message] of options) {
    test(`is refused at start-up, with a handler ${what}`, () => {
      const wrong = { verify: 'none', handler: callHandle, ...given } as never;
      assert.throws(() => webhook(wrong), { name: 'ConfigError', message });
    });
  }
});

describe('A handler that fails', () => {
  const thrown: Array<[what: string, thrown: unknown]> = [
    ['an error', new Error('a secret')],
    ['the error of a parser', new SyntaxError('a secret')],
    ['text', 'a secret'],
    ['the word that has routers go on', 'route'],
    ['the word that has routers leave', 'router'],
    ['nothing', undefined],
    ['null', null],
  ];
  for (const [what, error] of thrown) {
    for (const how of ['throws', 'rejects with']) {
      test(`and ${how} ${what} is a fault of ours, of which the sender hears nothing`, async () => {
        handle = () => {
          if (how === 'throws') throw error;
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors
          return Promise.reject(error);
        };
        const asked = send('free');
        const detail = await refusedAs(asked, { status: 500, reason: 'INTERNAL' });
        assert.equal(detail, '');
        assert.equal(lines.length, 1);
        assert.match(lines[0] ?? '', /^POST \/webhooks\/free \(\S+\) failed: /);
      });
    }
  }

  test('with a refusal refuses the request', async () => {
    handle = () => {
      throw new RejectedError('HANDSHAKE', 'who are you?');
    };
    const why = await refusedAs(send('free'), { status: 403, reason: 'HANDSHAKE' });
    assert.equal(why, 'who are you?');
    assert.deepEqual(lines, []);
  });

  const circle: Record<string, unknown> = {};
  circle.again = circle;
  const nonsense: Array<[what: string, handled: unknown]> = [
    ['nothing', undefined],
    ['null', null],
    ['text', 'event'],
    ['a list', [{ kind: 'event', result: 1 }]],
    ['no kind', { result: 1 }],
    ['another kind', { kind: 'default', result: 1 }],
    ['a function as result', { kind: 'event', result: () => 1 }],
    ['a symbol as result', { kind: 'event', result: Symbol('x') }],
    ['a bigint as result', { kind: 'event', result: { n: 1n } }],
    ['a circle as result', { kind: 'event', result: circle }],
    ['a number as id', { kind: 'event', result: 1, id: 5 }],
    ['an object as type', { kind: 'event', result: 1, type: {} }],
    ['a getter that throws', Object.defineProperty({}, 'kind', { get: () => assert.fail('x') })],
    ['a text as response', { kind: 'event', result: 1, response: 'ok' }],
    ['null as response', { kind: 'preflight', response: null }],
    ['an unfinished status', { kind: 'event', result: 1, response: { status: 100 } }],
    ['no status', { kind: 'event', result: 1, response: { status: 'ok' } }],
    ['NaN as status', { kind: 'preflight', response: { status: Number.NaN } }],
    [
      'a header in two lines',
      { kind: 'event', result: 1, response: { headers: { a: 'b\r\nc: d' } } },
    ],
    ['a header without a value', { kind: 'preflight', response: { headers: { a: undefined } } }],
    ['a length', { kind: 'event', result: 1, response: { headers: { 'Content-Length': '1' } } }],
    ['a coding', { kind: 'preflight', response: { headers: { 'transfer-encoding': 'gzip' } } }],
    ['a bigint as body', { kind: 'preflight', response: { body: 1n } }],
    ['a function as body', { kind: 'event', result: 1, response: { body: () => 1 } }],
  ];
  for (const [what, handled] of nonsense) {
    test(`and gives ${what} is a fault of ours, and there is no event`, async () => {
      handle = () => handled;
      await refusedAs(send('free'), { status: 500, reason: 'INTERNAL' });
      assert.equal(lines.length, 1);
    });
  }

  test('and gives the body of the request for the body of its data is told what to do', async () => {
    handle = ({ body }) => ({ kind: 'event', result: { body } });
    await refusedAs(send('free', { body: '{}' }), { status: 500, reason: 'INTERNAL' });
    assert.match(lines.join(), /give its text or json/);
  });

  test('and hangs is answered after its time, told to stop, and heard no more', async () => {
    const late: Array<(handled: unknown) => void> = [];
    const stopped: boolean[] = [];
    handle = ({ signal, body }) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => stopped.push(signal.aborted));
        late.push(body.text === 'fails' ? reject : resolve);
      });
    const startedMs = Date.now();
    for (const body of ['answers', 'fails']) {
      const answer = await send('hanging', { body });
      assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
    }
    const tookMs = Date.now() - startedMs;
    assert.ok(tookMs >= 2 * HANDLER_MS && tookMs < PROMPT_MS, `${tookMs} ms`);
    assert.deepEqual(stopped, [true, true]);
    assert.match(lines[0] ?? '', /unavailable: the handler of hanging took over 200 ms/);
    assert.equal(newest().reason, 'UNAVAILABLE');
    for (const settle of late) settle({ kind: 'event', result: 'late' });
    handle = () => ({ kind: 'event', result: 'next' });
    assert.equal((await send('hanging')).status, 204);
    assert.equal(onlyEvent().data, 'next');
  });

  test('and hangs keeps nobody else waiting', async () => {
    handle = ({ source }) =>
      source === 'hanging' ? new Promise(() => {}) : { kind: 'event', result: 1 };
    const hanging = Array.from({ length: 50 }, () => send('hanging'));
    assert.equal((await send('free')).status, 204);
    const statuses = (await Promise.all(hanging)).map(({ status }) => status);
    assert.deepEqual(new Set(statuses), new Set([503]));
  });

  test('and is in time leaves no timer behind', async () => {
    handle = ({ signal }) => {
      signal.addEventListener('abort', () => assert.fail('it was in time'));
      return { kind: 'event', result: 1 };
    };
    await send('hanging');
    await setTimeout(2 * HANDLER_MS);
    assert.equal(requests[0]?.signal.aborted, false);
  });
});

describe('On a real server, a handler', { timeout: 900_000 }, () => {
  let temporal: TestServer;
  let project: TestApp;
  before(async () => {
    temporal = await startTestServer();
    project = await startTestApp(temporal, {
      workflowsPath: WORKFLOWS_PATH,
      sources: { orders },
      triggers: [
        { name: 'on-order', source: 'orders', filter: 'data.total > 10', workflow: 'returnWhole' },
      ],
    });
  });
  after(async () => {
    await project?.stop();
    await temporal?.stop();
  });

  const post = (body: string, query = ''): Promise<Response> =>
    fetch(`${project.ingress.url}/webhooks/orders${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });

  test('K-07, K-09, K-20: gives workflows its result, and nothing of what is no event', async () => {
    const collecting = await startCollecting(project, [['orders', 'data.total < 100']]);
    assert.equal(await (await post('', '?challenge=abc')).text(), 'abc');
    assert.equal((await post('{"number":"O-0","total":0}')).status, 200);
    assert.equal((await post('{"number":"O-1"}')).status, 400);
    const answer = await post('{"number":"O-2","total":12.5,"card":"4111"}');
    assert.deepEqual([answer.status, answer.headers.get('nextevent-id')], [204, 'O-2']);
    assert.equal((await post('{"number":"O-2","total":12.5}')).status, 204);
    const started = project.client.workflow.getHandle('on-order/O-2');
    const { time, ...event } = await resultOf<Event>(started);
    assert.ok(Date.parse(time) <= Date.now());
    const data = { number: 'O-2', total: 12.5 };
    assert.deepEqual(event, { id: 'O-2', source: 'orders', type: 'order.placed', data });
    await post('{"number":"end","total":1}');
    assert.deepEqual(await receivedBy(collecting), ['O-2']);
    await assert.rejects(project.client.workflow.getHandle('on-order/O-0').describe());
  });

  test('K-10: is known by the name of its source, and is another one under another name', async () => {
    const collecting = await startCollecting(project, [['orders', '']]);
    const renamed = await startIngress(temporal, {
      sources: new Map([['renamed', orders]]),
      triggers: [],
    });
    try {
      const statuses: number[] = [];
      for (const name of ['orders', 'renamed']) {
        const body = JSON.stringify({ number: name, total: 1 });
        const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
        statuses.push((await fetch(`${renamed.url}/webhooks/${name}`, init)).status);
      }
      assert.deepEqual(statuses, [404, 204]);
    } finally {
      await renamed.stop();
    }
    await post('{"number":"end","total":1}');
    assert.deepEqual(await receivedBy(collecting), []);
  });
});

function send(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/webhooks/${path}`, { method: 'POST', ...init });
}

function onlyEvent(): Event {
  assert.equal(events.length, 1);
  return events[0]!;
}

function newest(): Rejection {
  const [rejection] = telemetry.rejections.list({ limit: 1 });
  assert.ok(rejection);
  return rejection;
}

/** The detail of a refusal, which is in the log of rejections, and of which nothing is dispatched. */
function cyclic(): object {
  const own: Record<string, unknown> = {};
  return Object.assign(own, { own });
}

async function refusedAs(
  asked: Promise<Response>,
  expected: { readonly status: number; readonly reason: string },
): Promise<string> {
  const answer = await asked;
  const problem = (await answer.json()) as { readonly detail?: string; readonly requestId: string };
  const { status, reason, requestId, source } = newest();
  assert.deepEqual({ status, reason }, expected);
  assert.equal(answer.status, expected.status);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  assert.equal(requestId, problem.requestId);
  assert.ok(source !== null);
  assert.deepEqual(events, []);
  return problem.detail ?? '';
}

async function filteredOf(source: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const sample = `nextevent_requests_filtered_total{source="${source}"} `;
  const line = metrics.split('\n').find((candidate) => candidate.startsWith(sample));
  assert.ok(line, `${sample}is there from the start`);
  return Number(line.slice(sample.length));
}

/** A request for an answer of this status. */
function asking(method: string, status: number, last = ''): string {
  return `${method} /webhooks/free?status=${status} HTTP/1.1\r\nhost: x\r\n${last}\r\n`;
}

/** Sends these very bytes, and returns all that is answered. */
async function raw(request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

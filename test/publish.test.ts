// Publishing over real HTTP: CloudEvents in, events and answers out. The dispatcher only records.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { CloudEvent, HTTP } from 'cloudevents';
import fc from 'fast-check';

import { createApiKey } from '../config/api-keys.ts';
import type { LogEntry } from '../config/log.ts';
import { UnavailableError } from '../dispatch/errors.ts';
import { EVENT_BYTES_MAX, EVENT_ID_LENGTH_MAX, type Event } from '../events/event.ts';
import type { WebhookData } from '../events/webhook-body.ts';
import { createApp, createServer } from '../ingress/app.ts';
import { toEvent, toRawCloudEvent } from '../ingress/cloud-events.ts';
import { toReason } from '../ingress/rejections.ts';
import { RequestError } from '../ingress/sources/source.ts';
import type { RejectedRequest } from '../ingress/telemetry.ts';
import { published, webhook } from '../nextevent.ts';

const STRUCTURED = 'application/cloudevents+json';
const BATCHED = 'application/cloudevents-batch+json';

const orders = createApiKey({ name: 'shop', role: 'publisher', sources: ['orders', 'strict'] });
const other = createApiKey({ name: 'other', role: 'publisher', sources: ['payments'] });
const admin = createApiKey({ name: 'ops', role: 'admin' });
const revoked = createApiKey({ name: 'gone', role: 'publisher', sources: ['orders'] });

const paid = {
  specversion: '1.0',
  id: 'A-17',
  source: '/shop/eu',
  type: 'order.paid',
  time: '2026-03-01T12:00:00.5+01:00',
  subject: 'order/17',
  data: { total: 12.5 },
};

let events: Event[] = [];
let lines: string[] = [];
let entries: LogEntry[] = [];
/** What whoever counts was told. */
let told: string[] = [];
/** By the id of the event. */
let outcomes = new Map<string, Error>();

const deps = {
  sources: new Map([
    ['orders', published({ allowedOrigins: ['Shop.example.com'] })],
    ['payments', published({ allowedOrigins: '*' })],
    ['strict', published()],
    ['hooks', webhook({ verify: 'none' })],
  ]),
  dispatcher: {
    async dispatch(event: Event) {
      events.push(event);
      const outcome = outcomes.get(event.id);
      if (outcome) throw outcome;
      return { started: ['w'], signalled: 0, unmatched: 0, queued: false };
    },
    answer: async () => ({ kind: 'none' }) as const,
  },
  ready: async () => [],
  log(line: string, entry: LogEntry = {}) {
    if (entry.level === 'debug') return;
    lines.push(line);
    entries.push(entry);
  },
  observer: {
    acknowledged: (source: string) => told.push(`acknowledged ${source}`),
    rejected: ({ error, status, path }: RejectedRequest) =>
      told.push(`${toReason(error, status)} ${status} ${path}`),
    filtered: () => assert.fail('no source here has a handler'),
  },
  apiKeys: [orders.entry, other.entry, admin.entry],
};
const open = await listen(deps);
const limited = await listen({ ...deps, rateLimits: { perKey: 3, perSource: 2 } });

beforeEach(() => {
  [events, lines, outcomes] = [[], [], new Map()];
  [entries, told] = [[], []];
});
after(() => {
  for (const { server } of [open, limited]) {
    server.close();
    server.closeAllConnections();
  }
});

describe('a CloudEvent becomes an event', () => {
  const expected = {
    id: '/shop/eu|A-17',
    source: 'orders',
    type: 'order.paid',
    time: '2026-03-01T11:00:00.500Z',
    subject: 'order/17',
    data: { total: 12.5 },
  };

  test('in structured mode', async () => {
    const response = await publish(paid);
    assert.equal(response.status, 202);
    assert.deepEqual(await response.json(), { id: '/shop/eu|A-17', accepted: true });
    assert.deepEqual(events, [{ ...expected, attributes: { source: '/shop/eu' } }]);
    assert.deepEqual(lines, ['orders order.paid -> started w']);
    assert.deepEqual(entries, [
      {
        source: 'orders',
        eventId: '/shop/eu|A-17',
        eventType: 'order.paid',
        requestId: response.headers.get('x-request-id'),
        started: ['w'],
        signalled: 0,
        unmatched: 0,
        queued: false,
      },
    ]);
    assert.deepEqual(told, ['acknowledged orders']);
  });

  test('in binary mode', async () => {
    const { data, ...attributes } = paid;
    const response = await post('/events/orders', {
      headers: { ...ceHeaders(attributes), 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(data),
    });
    assert.equal(response.status, 202);
    const { attributes: others, ...event } = onlyEvent();
    assert.deepEqual(event, expected);
    assert.equal(others?.datacontenttype, 'application/json; charset=utf-8');
  });

  test('with the body of a webhook in its data, which is then read as one', async () => {
    const bodies = [{ content: 'QQ==' }, { content: 'A', 'nextevent:body': 'utf8' }];
    for (const given of bodies) {
      const body = { 'nextevent:body': 'utf8-base64', ...given };
      // What no webhook has beside it does no harm.
      const method = { toString: 1, valueOf: 1 };
      const data = { method, headers: { 'content-type': 'text/plain' }, body };
      assert.equal((await publish({ ...paid, id: given.content, data })).status, 202);
      const read = events.at(-1)?.data as WebhookData;
      assert.equal(read.body.text, 'A');
      assert.deepEqual(JSON.parse(JSON.stringify(read)), data);
    }
  });

  test('with the trace that it says it belongs to', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await publish({ ...paid, traceparent, tracestate: 'vendor=1' });
    const { attributes, ...event } = onlyEvent();
    assert.deepEqual(event, { ...expected, traceparent, tracestate: 'vendor=1' });
    assert.equal(attributes?.traceparent, traceparent);
    events = [];
    await publish({ ...paid, traceparent: 'nonsense', tracestate: 'vendor=1' });
    assert.ok(!('traceparent' in onlyEvent()) && !('tracestate' in onlyEvent()));
  });

  test('in a batch, each in its place', async () => {
    const batch = [paid, { ...paid, id: 'A-18' }, paid];
    const response = await publish(batch);
    assert.equal(response.status, 202);
    assert.deepEqual(await response.json(), {
      events: [
        { index: 0, id: '/shop/eu|A-17', accepted: true },
        { index: 1, id: '/shop/eu|A-18', accepted: true },
        { index: 2, id: '/shop/eu|A-17', accepted: true },
      ],
    });
    assert.deepEqual(
      events.map(({ id }) => id),
      ['/shop/eu|A-17', '/shop/eu|A-18'],
    );
  });

  test('as the official package sends it', async () => {
    const event = new CloudEvent({ ...paid, traceparent: '00-a-b-01' });
    for (const toMessage of [HTTP.structured, HTTP.binary]) {
      events = [];
      const { headers, body } = toMessage(event);
      const response = await post('/events/orders', {
        headers: headers as Record<string, string>,
        body: String(body),
      });
      assert.equal(response.status, 202);
      const { attributes, ...rest } = onlyEvent();
      assert.deepEqual(rest, expected);
      assert.equal(attributes?.traceparent, '00-a-b-01');
    }
  });

  test('compressed', async () => {
    const headers = { 'content-type': STRUCTURED, 'content-encoding': 'gzip' };
    const body = gzipSync(JSON.stringify(paid));
    assert.equal((await post('/events/orders', { headers, body })).status, 202);
  });

  test('in an empty batch: nothing, and that is fine', async () => {
    const response = await publish([]);
    assert.deepEqual([response.status, await response.json()], [202, { events: [] }]);
  });

  test('whose headers are percent-encoded, decoded once', async () => {
    const headers = {
      ...ceHeaders({ ...paid, id: 'Euro %E2%82%AC %2541', data: undefined }),
      'content-type': 'application/json',
    };
    await post('/events/orders', { headers, body: '{}' });
    assert.equal(onlyEvent().id, '/shop/eu|Euro € %41');
  });

  test('whose time is absent: when it was accepted', async () => {
    const before = Date.now();
    await publish({ ...paid, time: null });
    assert.ok(Date.parse(onlyEvent().time) >= before);
  });

  test('whose id and source are long: by their hash', async () => {
    const long = { ...paid, id: 'i'.repeat(256) };
    await publish(long);
    await publish(long);
    await publish({ ...long, source: '/shop' });
    const [first, again, third] = events.map(({ id }) => id);
    assert.match(first ?? '', /^[0-9a-f]{64}$/);
    assert.equal(again, first);
    assert.notEqual(third, first);
  });

  test('whose id has what separates: never that of another', async () => {
    await publish({ ...paid, source: '/a', id: 'b|c' });
    assert.equal(onlyEvent().id, '/a|b|c');
    assert.equal((await publish({ ...paid, source: '/a|b', id: 'c' })).status, 400);
  });
});

describe('data', () => {
  const values: Array<[what: string, given: object, data: unknown]> = [
    ['an object with odd keys', { data: JSON.parse('{"__proto__":1,"constructor":2}') }, undefined],
    ['0', { data: 0 }, 0],
    ['false', { data: false }, false],
    ['an empty text', { data: '' }, ''],
    ['null', { data: null }, null],
    ['not there', { data: undefined }, null],
    ['a list', { data: [1, 'a'] }, [1, 'a']],
    ['a text of digits', { data: '17' }, '17'],
    ['text of another type', { data: '<a/>', datacontenttype: 'text/xml' }, '<a/>'],
    ['JSON in base64', { data: undefined, data_base64: base64('{"a":1}') }, { a: 1 }],
    [
      'text in base64',
      { data: undefined, data_base64: base64('é'), datacontenttype: 'text/plain' },
      'é',
    ],
  ];
  for (const [what, given, data] of values) {
    test(`that is ${what} is kept as it is`, async () => {
      assert.equal((await publish({ ...paid, ...given })).status, 202);
      if (data === undefined) {
        assert.equal(JSON.stringify(onlyEvent().data), '{"__proto__":1,"constructor":2}');
      } else assert.deepEqual(onlyEvent().data, data);
    });
  }

  test('of any other type is bytes, in both modes', async () => {
    const bytes = Uint8Array.of(0xff, 0, 1);
    const attributes = { ...paid, data: undefined, datacontenttype: 'image/png' };
    await publish({ ...attributes, data_base64: Buffer.from(bytes).toString('base64') });
    await post('/events/orders', {
      headers: {
        ...ceHeaders({ ...attributes, datacontenttype: undefined }),
        'content-type': 'image/png',
      },
      body: bytes,
    });
    assert.equal(events.length, 2);
    for (const event of events) {
      const { body } = event.data as { body: { bytes: Uint8Array } };
      assert.deepEqual(body.bytes, bytes);
    }
  });

  const binaries: Array<[what: string, type: string | undefined, body: string, data: unknown]> = [
    ['a JSON number', 'application/json', '17', 17],
    ['JSON of a type that says so', 'application/vnd.shop+json', '[true]', [true]],
    ['JSON without a type', undefined, '{"a":1}', { a: 1 }],
    ['text', 'text/plain; charset=utf-8', '17', '17'],
    ['nothing', 'application/json', '', null],
  ];
  for (const [what, type, body, data] of binaries) {
    test(`that is ${what} in the body of binary mode`, async () => {
      const headers = {
        ...ceHeaders({ ...paid, data: undefined }),
        ...(type && contentType(type)),
      };
      const bytes = Buffer.from(body);
      assert.equal((await post('/events/orders', { headers, body: bytes })).status, 202);
      assert.deepEqual(onlyEvent().data, data);
    });
  }
});

describe('is refused, and says why', () => {
  const wrong: Array<[what: string, event: unknown, detail: RegExp]> = [
    ['no object', 1, /a CloudEvent is a JSON object/],
    ['a list in structured mode', [paid], /a CloudEvent is a JSON object/],
    ['without an id', { ...paid, id: undefined }, /^id is missing$/],
    ['with an id that is null', { ...paid, id: null }, /^id is missing$/],
    ['with an empty id', { ...paid, id: '' }, /^id is empty$/],
    ['with an id that is a number', { ...paid, id: 1 }, /^id must be string$/],
    ['with a long id', { ...paid, id: 'i'.repeat(257) }, /id is 257 characters, at most 256/],
    ['with a line break in its id', { ...paid, id: 'a\nb' }, /id has a control character/],
    ['with a line break in its type', { ...paid, type: 'a\nb' }, /type has a control character/],
    ['without a source', { ...paid, source: undefined }, /^source is missing$/],
    ['with a source that is no URI', { ...paid, source: 'a b' }, /source must match .*uri/],
    ['without a type', { ...paid, type: undefined }, /^type is missing$/],
    ['of version 0.3', { ...paid, specversion: '0.3' }, /specversion is "0.3", must be "1.0"/],
    ['with a time that is none', { ...paid, time: 'noon' }, /time must match .*date-time/],
    ['with an empty subject', { ...paid, subject: '' }, /subject is empty/],
    ['with an odd extension', { ...paid, some_thing: 1 }, /"some_thing": names are lower-case/],
    ['with an extension of the prototype', JSON.parse(withProto()), /"__proto__": names are/],
    ['with an extension that is a map', { ...paid, ext: {} }, /ext is no text, whole number/],
    ['with many extensions', { ...paid, ...many(33) }, /33 extension attributes, at most 32/],
    ['with two kinds of data', { ...paid, data_base64: 'YQ==' }, /both given/],
    ['with no base64', { ...paid, data: undefined, data_base64: '%' }, /data_base64 is not base64/],
    [
      'with base64 of no JSON',
      { ...paid, data: undefined, data_base64: 'YQ==' },
      /data is not JSON/,
    ],
  ];
  for (const [what, event, detail] of wrong) {
    test(`an event ${what}`, async () => {
      const response = await publish(event, STRUCTURED);
      await isProblem(response, 400, detail);
      assert.deepEqual(events, []);
    });
  }

  test('an extension that is called as a method of the package is none', async () => {
    assert.equal((await publish({ ...paid, validate: 'x', emit: 'y' })).status, 202);
    assert.equal(onlyEvent().attributes?.validate, 'x');
  });

  test('a body that is not JSON, not UTF-8, or nested too deeply', async () => {
    const headers = contentType(STRUCTURED);
    const deep = JSON.stringify(paid).replace('12.5', '['.repeat(2_000) + ']'.repeat(2_000));
    const bodies: Array<[string | Uint8Array, RegExp]> = [
      ['{"a":', /the body is not JSON/],
      ['', /the body is not JSON/],
      [Uint8Array.of(0x22, 0xff, 0x22), /the body is not UTF-8/],
      [deep, /nested deeper than 1000 levels/],
    ];
    for (const [body, detail] of bodies) {
      await isProblem(await post('/events/orders', { headers, body }), 400, detail);
    }
  });

  test('a batch of which one is wrong, with its place; none of it is taken', async () => {
    const response = await publish([paid, { ...paid, id: '' }, 1]);
    const problem = await isProblem(response, 400, /event 1 of the batch: id is empty/);
    assert.deepEqual(problem.events, [
      { index: 1, status: 400, detail: 'id is empty' },
      { index: 2, status: 400, detail: 'a CloudEvent is a JSON object' },
    ]);
    assert.deepEqual(events, []);
  });

  const posing: Array<[what: string, body: object]> = [
    ['no base64', { 'nextevent:body': 'utf8-base64', content: 'A' }],
    ['no UTF-8', { 'nextevent:body': 'utf8-base64', content: '/w==' }],
    ['not empty', { 'nextevent:body': 'none', content: 'A' }],
  ];
  for (const [what, body] of posing) {
    test(`data that poses as a body of a webhook that is ${what}, in every mode`, async () => {
      const posed = { ...paid, data: { body } };
      await isProblem(await publish(posed), 400, /^the body has a reserved key$/);
      const batch = await publish([paid, posed]);
      await isProblem(batch, 400, /^event 1 of the batch: the body has a reserved key$/);
      const { data, ...attributes } = posed;
      const headers = { ...ceHeaders(attributes), 'content-type': 'application/json' };
      const binary = await post('/events/orders', { headers, body: JSON.stringify(data) });
      await isProblem(binary, 400, /^the body has a reserved key$/);
      assert.deepEqual(events, []);
    });
  }

  test('a batch that is too long, or no list', async () => {
    const long = Array.from({ length: 101 }, (_, index) => ({ ...paid, id: `${index}` }));
    await isProblem(await publish(long), 400, /101 events, at most 100/);
    await isProblem(await publish({ ...paid }, BATCHED), 400, /a JSON array/);
  });

  test('a body above 1 MiB, and an event that becomes larger than its body', async () => {
    const large = { ...paid, data: 'a'.repeat(EVENT_BYTES_MAX) };
    await isProblem(await publish(large), 413, /body is larger than 1048576 bytes/);
    const grows = JSON.stringify({ ...paid, data: [] }).replace(
      '[]',
      `[${'1e20,'.repeat(99_999)}1]`,
    );
    const growing = await post('/events/orders', { headers: contentType(STRUCTURED), body: grows });
    await isProblem(growing, 413, /the event is \d+ bytes as JSON/);
    const batch = await post('/events/orders', {
      headers: contentType(BATCHED),
      body: `[${grows}]`,
    });
    await isProblem(batch, 413, /event 0 of the batch/);
  });

  test('what is no CloudEvent, with what would be', async () => {
    const types = [
      'application/json',
      'application/cloudevents+avro',
      `${STRUCTURED}; charset=latin1`,
    ];
    for (const type of types) {
      const response = await publish(paid, type);
      assert.equal(response.headers.get('accept'), `${STRUCTURED}, ${BATCHED}`);
      await isProblem(response, 415, /CloudEvent|not supported|charset/);
    }
  });

  test('binary mode with a header twice, or malformed', async () => {
    const headers = new Headers(ceHeaders({ ...paid, data: undefined }));
    headers.append('ce-type', 'again');
    assert.equal((await post('/events/orders', { headers })).status, 202);
    // fetch joins them, as a proxy may: then it is one value.
    assert.equal(onlyEvent().type, 'order.paid, again');
    const malformed = { ...ceHeaders({ ...paid, data: undefined }), 'ce-id': '100%' };
    await isProblem(await post('/events/orders', { headers: malformed }), 400, /ce-id .*percent/);
    const data = { ...ceHeaders({ ...paid, data: undefined }), 'ce-data': 'x' };
    await isProblem(await post('/events/orders', { headers: data }), 400, /ce-data is no/);
  });
});

test('whatever is sent, it is an event or refused for a reason', () => {
  const name = fc.constantFrom(
    ...Object.keys(paid),
    'dataschema',
    'data_base64',
    'ext',
    'validate',
  );
  const scalar = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.webUrl(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.jsonValue(),
  );
  const changes = fc.dictionary(fc.oneof({ weight: 9, arbitrary: name }, fc.string()), scalar, {
    maxKeys: 3,
  });
  let accepted = 0;
  fc.assert(
    fc.property(changes, (changed) => {
      try {
        const event = toEvent('orders', toRawCloudEvent({ ...paid, ...changed }));
        assert.deepEqual(JSON.parse(JSON.stringify(event)).source, 'orders');
        assert.ok(event.id.length <= EVENT_ID_LENGTH_MAX);
        assert.ok(!Number.isNaN(Date.parse(event.time)));
        accepted += 1;
      } catch (error) {
        assert.ok(error instanceof RequestError, String(error));
      }
    }),
    { numRuns: 5_000 },
  );
  assert.ok(accepted > 100, `${accepted} accepted`);
});

describe('who may publish', () => {
  const refusals: Array<[what: string, authorization: string | undefined, status: number]> = [
    ['nobody without a key', undefined, 401],
    ['nobody with another scheme', `Basic ${orders.key}`, 401],
    ['nobody with what is no key', 'Bearer secret', 401],
    ['nobody with two keys', `Bearer ${orders.key}, Bearer ${orders.key}`, 401],
    ['nobody with a key that was revoked', `Bearer ${revoked.key}`, 401],
    ['nobody with a wrong secret', `Bearer ${orders.key.slice(0, -1)}${flipped()}`, 401],
    ['nobody with a key for another source', `Bearer ${other.key}`, 403],
    ['not even an admin', `Bearer ${admin.key}`, 403],
  ];
  for (const [what, authorization, status] of refusals) {
    test(what, async () => {
      const response = await fetch(`${open.url}/events/orders`, {
        method: 'POST',
        headers: { ...contentType(STRUCTURED), ...(authorization && { authorization }) },
        body: JSON.stringify(paid),
      });
      assert.equal(response.headers.get('www-authenticate'), status === 401 ? 'Bearer' : null);
      const { detail = '' } = await isProblem(response, status, /key/);
      assert.ok(!detail.includes(orders.key.slice(20)));
      assert.deepEqual(events, []);
      assert.deepEqual(lines, []);
      assert.deepEqual(told, [`CREDENTIALS ${status} /events/orders`]);
    });
  }

  test('nobody to a source of webhooks, nor a webhook to a source of published events', async () => {
    for (const name of ['hooks', 'no-such', '', 'orders/more']) {
      assert.equal((await post(`/events/${name}`, { body: '{}' })).status, 403);
    }
    const webhooks = await fetch(`${open.url}/webhooks/orders`, { method: 'POST', body: '{}' });
    await isProblem(webhooks, 404, /published at \/events\/orders/);
    assert.deepEqual(events, []);
  });

  test('by POST alone', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const response = await fetch(`${open.url}/events/orders`, { method });
      assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
      await isProblem(response, 405, new RegExp(method));
    }
  });
});

describe('when an event can not be made durable', () => {
  test('the answer is 503, and when to try again', async () => {
    outcomes.set('/shop/eu|A-17', new UnavailableError('10.0.0.7 refuses', 4));
    const response = await publish(paid);
    assert.equal(response.headers.get('retry-after'), '4');
    await isProblem(response, 503, /send it again/);
  });

  test('a batch says which were accepted', async () => {
    outcomes.set('/shop/eu|A-18', new UnavailableError('10.0.0.7 refuses', 4));
    const response = await publish([paid, { ...paid, id: 'A-18' }]);
    assert.equal(response.status, 207);
    assert.equal(response.headers.get('retry-after'), '4');
    assert.deepEqual(await response.json(), {
      events: [
        { index: 0, id: '/shop/eu|A-17', accepted: true },
        {
          index: 1,
          id: '/shop/eu|A-18',
          accepted: false,
          problem: {
            status: 503,
            title: 'Unavailable',
            detail: 'the event could not be made durable; send it again',
          },
        },
      ],
    });
    assert.deepEqual(told, ['UNAVAILABLE 503 /events/orders']);
  });

  test('a batch of which none was is 503', async () => {
    outcomes.set('/shop/eu|A-17', new UnavailableError('away'));
    const response = await publish([paid, paid]);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
  });

  test('a fault of ours is 500, and says nothing', async () => {
    outcomes.set('/shop/eu|A-17', new Error('a secret'));
    for (const event of [paid, [paid]]) {
      const response = await publish(event);
      assert.equal(response.status, 500);
      assert.ok(!(await response.text()).includes('a secret'));
    }
  });
});

describe('the handshake', () => {
  const asked: Array<[what: string, source: string, headers: object, answer: unknown[]]> = [
    ['of a sender that may', 'orders', origin('shop.example.com'), ['shop.example.com', '*']],
    [
      'with a rate',
      'orders',
      { ...origin('shop.example.com'), 'webhook-request-rate': '120' },
      ['shop.example.com', '120'],
    ],
    ['of another sender', 'orders', origin('evil.example'), [null, null]],
    ['of no sender', 'orders', {}, [null, null]],
    ['where all may', 'payments', origin('any.example'), ['any.example', '*']],
    ['where none may', 'strict', origin('shop.example.com'), [null, null]],
  ];
  for (const [what, source, headers, answer] of asked) {
    test(what, async () => {
      const response = await handshake(open.url, source, headers);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('allow'), 'POST, OPTIONS');
      const names = ['webhook-allowed-origin', 'webhook-allowed-rate'];
      assert.deepEqual(
        names.map((name) => response.headers.get(name)),
        answer,
      );
    });
  }

  test('promises no more than the limit', async () => {
    const headers = { ...origin('shop.example.com'), 'webhook-request-rate': '120' };
    const response = await handshake(limited.url, 'orders', headers);
    assert.equal(response.headers.get('webhook-allowed-rate'), '2');
  });

  test('of no source is 404', async () => {
    for (const source of ['hooks', 'no-such']) {
      assert.equal((await handshake(open.url, source, origin('a.example'))).status, 404);
    }
  });
});

describe('rate limits', () => {
  test('are for each source, for each key, and for webhooks', async () => {
    const statuses: number[] = [];
    for (const source of ['orders', 'orders', 'orders', 'strict']) {
      const response = await publish(paid, STRUCTURED, `${limited.url}/events/${source}`);
      statuses.push(response.status);
      if (response.status !== 429) continue;
      const seconds = Number(response.headers.get('retry-after'));
      assert.ok(seconds >= 1 && seconds <= 60);
      assert.match(told.at(-1) ?? '', /^RATE_LIMIT 429 /);
      await isProblem(response, 429, /more than \d requests in a minute for the (source|key) /);
    }
    assert.deepEqual(statuses, [202, 202, 429, 429]);
    const webhooks: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      webhooks.push((await fetch(`${limited.url}/webhooks/hooks`, { method: 'POST' })).status);
    }
    assert.deepEqual(webhooks, [202, 202, 429]);
  });

  test('count nothing of those without a key', async () => {
    for (let count = 0; count < 5; count += 1) {
      const response = await fetch(`${limited.url}/events/payments`, { method: 'POST' });
      assert.equal(response.status, 401);
    }
  });
});

describe('a request', () => {
  test('has an id, the one that it names if it can be one', async () => {
    const ids: Array<[given: string | undefined, taken: boolean]> = [
      ['a-1.B_2~', true],
      [undefined, false],
      ['a b', false],
      ['<script>', false],
      ['a'.repeat(129), false],
    ];
    for (const [given, taken] of ids) {
      const response = await fetch(`${open.url}/events/orders`, {
        headers: { ...(given && { 'x-request-id': given }) },
      });
      const id = response.headers.get('x-request-id') ?? '';
      assert.equal(id === given, taken);
      assert.match(id, /^[\w.:/+=~-]{1,128}$/);
      assert.equal(((await response.json()) as { requestId: string }).requestId, id);
    }
  });

  test('is answered with headers that browsers heed', async () => {
    const { headers } = await publish(paid);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.match(headers.get('content-security-policy') ?? '', /default-src/);
    assert.equal(headers.get('x-powered-by'), null);
  });
});

async function listen(of: Parameters<typeof createApp>[0]) {
  const server = createServer(createApp(of)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function publish(
  event: unknown,
  type = Array.isArray(event) ? BATCHED : STRUCTURED,
  url = `${open.url}/events/orders`,
): Promise<Response> {
  const headers = { ...contentType(type), authorization: `Bearer ${orders.key}` };
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(event) });
}

function post(path: string, { headers, ...init }: RequestInit): Promise<Response> {
  const all = new Headers(headers);
  all.set('authorization', `Bearer ${orders.key}`);
  return fetch(open.url + path, { method: 'POST', ...init, headers: all });
}

function handshake(url: string, source: string, headers: object): Promise<Response> {
  return fetch(`${url}/events/${source}`, {
    method: 'OPTIONS',
    headers: headers as Record<string, string>,
  });
}

function origin(name: string): object {
  return { 'webhook-request-origin': name };
}

async function isProblem(response: Response, status: number, detail: RegExp) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = JSON.parse(text) as { detail?: string; events?: unknown };
  assert.match(problem.detail ?? '', detail);
  return problem;
}

function onlyEvent(): Event {
  assert.equal(events.length, 1);
  return events[0]!;
}

function ceHeaders(attributes: object): Record<string, string> {
  const pairs = Object.entries(attributes).filter(([name, value]) => value && name !== 'data');
  return Object.fromEntries(pairs.map(([name, value]) => [`ce-${name}`, String(value)]));
}

function contentType(type: string): Record<string, string> {
  return { 'content-type': type };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function many(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`ext${index}`, 'x']));
}

function withProto(): string {
  return JSON.stringify(paid).replace('{', '{"__proto__":"x",');
}

function flipped(): string {
  return orders.key.endsWith('A') ? 'B' : 'A';
}

// What bodies are made like.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

import { CloudEvent, HTTP } from 'cloudevents';

import { toDefinition } from '../config/outbound.ts';
import type { Event } from '../events/event.ts';
import { deriveEvent, storeBody } from '../events/webhook-body.ts';
import { toEvent } from '../ingress/cloud-events.ts';
import {
  attemptOf,
  bob,
  outboundOf,
  SOURCES,
  startReceiver,
  stopReceivers,
  type Seen,
} from './outbound.ts';

after(stopReceivers);

async function sent(event: Event, listener: object = {}, options: object = {}): Promise<Seen> {
  const receiver = await startReceiver();
  const record = await attemptOf(
    outboundOf(options),
    { url: receiver.url, ...listener },
    { event },
  );
  assert.equal(record.message, '200 OK');
  return receiver.seen[0]!;
}

/** A webhook as its event has it. */
function webhookOf(body: string | Uint8Array, contentType = 'application/json'): Event {
  const headers = {
    'content-type': contentType,
    authorization: 'Bearer of-the-sender',
    cookie: 'a=b',
    'x-api-key': 'k',
    'x-gitlab-token': 't',
    'x-kept': 'yes',
  };
  const url = { path: '/webhooks/orders', path_suffix: '', query: {}, raw: '/webhooks/orders' };
  const stored = storeBody(Buffer.from(body as string));
  return { ...bob, source: 'orders', data: { method: 'POST', url, headers, body: stored } };
}

describe('the dialect cloudevents', () => {
  test('is what listeners speak if they say nothing else, and the official package reads it', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const event = { ...bob, subject: 'bob', traceparent, data: { name: 'Bob' } };
    const { headers, body } = await sent(event);
    assert.equal(headers['content-type'], 'application/cloudevents+json');
    assert.deepEqual(JSON.parse(body), {
      specversion: '1.0',
      id: 'e-1',
      source: 'members',
      type: 'member.added',
      time: '2026-11-21T12:00:00.000Z',
      subject: 'bob',
      traceparent,
      datacontenttype: 'application/json',
      data: { name: 'Bob' },
    });
    const read = HTTP.toEvent({ headers, body }) as CloudEvent<unknown>;
    assert.equal(read.validate(), true);
    assert.deepEqual(read.data, { name: 'Bob' });
  });

  test('sends an event that came as a CloudEvent on as the same', async () => {
    const attributes = {
      specversion: '1.0',
      id: 'A-17',
      source: '/shop',
      type: 'order.paid',
      time: '2026-11-21T10:00:00.000Z',
      subject: 'A-17',
      dataschema: 'https://shop.example/schema',
      tenant: 'north',
    };
    const { body } = await sent(toEvent('orders', { attributes, data: { total: 12.5 } }));
    assert.deepEqual(JSON.parse(body), {
      ...attributes,
      datacontenttype: 'application/json',
      data: { total: 12.5 },
    });
  });

  test('keeps the id of one whose own is in no other place', async () => {
    const attributes = {
      specversion: '1.0',
      id: 'i'.repeat(256),
      source: `/${'s'.repeat(200)}`,
      type: 't',
    };
    const event = toEvent('orders', { attributes, data: null });
    const { id, source } = JSON.parse((await sent(event)).body) as Event;
    assert.equal(id, event.id);
    assert.equal(source, attributes.source);
  });
});

describe('the dialect json', () => {
  const cases: ReadonlyArray<[data: unknown, body: string]> = [
    ['Bob', '"Bob"'],
    [{ total: 1 }, '{"total":1}'],
    [null, 'null'],
    [0, '0'],
    [undefined, 'null'],
    ['é\u2028', '"é\u2028"'],
  ];
  for (const [data, body] of cases) {
    test(`sends ${body} and nothing else [N-18]`, async () => {
      const seen = await sent({ ...bob, data }, { dialect: 'json' });
      assert.equal(seen.body, body);
      assert.equal(seen.headers['content-type'], 'application/json');
      assert.equal(seen.headers['content-length'], String(Buffer.byteLength(body)));
    });
  }

  test('sends the body of a webhook as it reads, without what its sender proved itself with', async () => {
    for (const event of [webhookOf('{"a":1}'), deriveEvent(webhookOf('{"a":1}'))]) {
      const { body } = await sent(event, { dialect: 'json' });
      const { headers, body: read } = JSON.parse(body) as Record<string, unknown>;
      assert.deepEqual(headers, { 'content-type': 'application/json', 'x-kept': 'yes' });
      assert.deepEqual(read, { text: '{"a":1}', json: { a: 1 }, form: null, bytes: null });
      assert.ok(!body.includes('of-the-sender') && !body.includes('nextevent:body'));
    }
  });

  test('sends a form with its fields, and what is no text in base64', async () => {
    const form = await sent(webhookOf('a=1&b=2', 'application/x-www-form-urlencoded'), {
      dialect: 'json',
    });
    assert.deepEqual((JSON.parse(form.body) as { body: object }).body, {
      text: 'a=1&b=2',
      json: null,
      form: { a: '1', b: '2' },
      bytes: null,
    });
    const image = await sent(webhookOf(Buffer.from([0xff, 0xd8])), { dialect: 'json' });
    const { body } = JSON.parse(image.body) as { body: object };
    assert.deepEqual(body, { text: null, json: null, form: null, bytes: '/9g=' });
  });
});

describe('a dialect of the configuration', () => {
  const partner = {
    contentType: 'text/csv',
    userAgent: 'partner/2',
    headers: ({ type }: Event) => ({ 'x-type': type, 'x-who': 'dialect' }),
    body: ({ id, data }: Event) => `${id},${String(data)}`,
  };

  test('says what is sent; the listener has the last word on headers [N-39]', async () => {
    const listener = { dialect: 'partner', headers: { 'X-Who': 'listener' } };
    const { headers, body } = await sent(bob, listener, { dialects: { partner } });
    assert.equal(body, 'e-1,Bob');
    assert.equal(headers['content-type'], 'text/csv');
    assert.equal(headers['user-agent'], 'partner/2');
    assert.equal(headers['x-type'], 'member.added');
    assert.equal(headers['x-who'], 'listener');
  });

  test('may send bytes', async () => {
    const bytes = { contentType: 'application/octet-stream', body: () => Uint8Array.of(104, 105) };
    assert.equal((await sent(bob, { dialect: 'bytes' }, { dialects: { bytes } })).body, 'hi');
  });

  test('that throws fails the delivery for good', async () => {
    const broken = {
      contentType: 'text/plain',
      body: () => {
        throw new Error('no field "total"\nat code');
      },
    };
    const receiver = await startReceiver();
    const outbound = outboundOf({ dialects: { broken } });
    const record = await attemptOf(outbound, { url: receiver.url, dialect: 'broken' });
    assert.equal(record.message, 'the dialect "broken" failed: no field "total"');
    assert.equal(record.isFinal, true);
    assert.equal(receiver.connections, 0);
  });

  test('that this worker does not have is tried again: another one may have it', async () => {
    const receiver = await startReceiver();
    const dialects = { bob: { contentType: 'text/plain', body: () => 'hi' } };
    const definition = toDefinition(
      { url: receiver.url, dialect: 'bob' },
      { sources: SOURCES, outbound: outboundOf({ dialects }) },
    );
    const record = await attemptOf(outboundOf(), { url: receiver.url }, { definition });
    assert.equal(record.message, 'the configuration has no dialect "bob"');
    assert.deepEqual([record.isSuccessful, record.isFinal], [false, undefined]);
    assert.equal(receiver.connections, 0);
  });

  test('cannot put a second request into a header', async () => {
    const split = {
      contentType: 'text/plain',
      headers: () => ({ 'x-a': 'b\r\nx-evil: 1' }),
      body: () => 'x',
    };
    const receiver = await startReceiver();
    const outbound = outboundOf({ dialects: { split } });
    const record = await attemptOf(outbound, { url: receiver.url, dialect: 'split' });
    assert.equal(record.message, 'a header of the request has an unfit character in it');
    assert.equal(receiver.seen.length, 0);
  });
});

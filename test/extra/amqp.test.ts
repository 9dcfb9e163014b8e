// The transport to RabbitMQ, with a broker that runs here. `npm run test:extra` runs it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Connection, type AsyncMessage } from 'rabbitmq-client';
import { Webhook } from 'standardwebhooks';

import { toDefinition } from '../../config/outbound.ts';
import type { AttemptRecord } from '../../events/listener.ts';
import { amqp } from '../../nextevent.ts';
import { makeAttempt } from '../../outbound/attempt.ts';
import { closeTransports, type Outbound } from '../../outbound/outbound.ts';
import { until } from '../../testing/until.ts';
import { attemptOf, bob, outboundOf, SOURCES } from '../outbound.ts';
import { startRabbit, type Rabbit } from './rabbitmq.ts';

const KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

let rabbit: Rabbit;
let consumer: Connection;
const messages: AsyncMessage[] = [];

before(async () => {
  rabbit = await startRabbit();
  await rabbit.control('add_vhost', 'shop');
  await rabbit.control('set_permissions', '--vhost', 'shop', 'guest', '.*', '.*', '.*');
  await rabbit.control('add_user', 'sender', 'its-password');
  await rabbit.control('set_permissions', 'sender', '.*', '.*', '.*');
  consumer = new Connection({ hostname: '127.0.0.1', port: rabbit.port, vhost: '/' });
  consumer.on('error', () => {});
  const subscription = consumer.createConsumer(
    {
      queue: 'received',
      queueOptions: { durable: true },
      exchanges: [{ exchange: 'events', type: 'topic', durable: true }],
      queueBindings: [{ exchange: 'events', routingKey: 'member.#' }],
    },
    async (message) => {
      messages.push(message);
    },
  );
  subscription.on('error', () => {});
  await new Promise<void>((resolve) => {
    subscription.on('ready', resolve);
  });
});

after(async () => {
  consumer?.unsafeDestroy();
  await rabbit?.stop();
});

function outboundTo(port: number, login: object = {}, secrets: object = {}): Outbound {
  const transport = amqp({ url: `amqp://127.0.0.1:${port}`, ...login });
  return outboundOf({ transports: { amqp: transport }, secrets: { KEY, ...secrets } });
}

/** One attempt of a listener with the end of a url such as `%2F/events`. */
function publish(place: string, listener: object = {}): Promise<AttemptRecord> {
  const url = `amqp://127.0.0.1:${rabbit.port}/${place}`;
  return attemptOf(outboundTo(rabbit.port), { type: 'amqp', url, ...listener });
}

describe('the transport amqp [M-10]', () => {
  test('publishes to an exchange, with the type as routing key, and waits for the broker', async () => {
    const record = await publish('%2F/events', {
      dialect: 'json',
      signing: 'KEY',
      headers: { 'x-shop': 'main' },
    });
    assert.equal(record.message, 'confirmed by the broker');
    assert.equal(record.isSuccessful, true);
    assert.equal(record.request.method, 'PUBLISH');
    assert.equal(record.request.body, '"Bob"');
    const message = await until('the message is there', () => messages.shift());
    assert.equal(message.routingKey, 'member.added');
    assert.equal(message.contentType, 'application/json');
    assert.equal(message.type, 'member.added');
    assert.match(message.messageId ?? '', /^msg_[\w-]{43}$/);
    assert.equal(message.durable, true);
    assert.equal(message.headers?.['x-shop'], 'main');
    assert.equal(message.body, 'Bob');
    new Webhook(KEY).verify('"Bob"', message.headers ?? {});
  });

  test('publishes with the routing key of the url, or to the queue of its name', async () => {
    assert.equal((await publish('%2F/events?routingKey=member.a%20b')).isSuccessful, true);
    const routed = await until('the message is there', () => messages.shift());
    assert.equal(routed.routingKey, 'member.a b');
    assert.equal((await publish('?routingKey=received')).isSuccessful, true);
    const direct = await until('the message is there', () => messages.shift());
    assert.equal(direct.exchange, '');
  });

  test('fails what no queue takes, and nothing else', async () => {
    const outbound = outboundTo(rabbit.port);
    const { signal } = new AbortController();
    const send = (key: string) => {
      const url = `amqp://127.0.0.1:${rabbit.port}/%2F/events?routingKey=${key}`;
      const definition = toDefinition({ type: 'amqp', url }, { sources: SOURCES, outbound });
      return makeAttempt(outbound, { definition, event: bob, reason: 'event', signal });
    };
    try {
      const records = await Promise.all(['nobody', 'member.b', 'nobody', 'member.c'].map(send));
      assert.deepEqual(
        records.map(({ message }) => message),
        [
          'no queue takes messages with the key nobody',
          'confirmed by the broker',
          'no queue takes messages with the key nobody',
          'confirmed by the broker',
        ],
      );
    } finally {
      await closeTransports(outbound);
    }
    await until('both are there', () => messages.length === 2);
    messages.length = 0;
  });

  test('says in the words of the broker why it refuses', async () => {
    const exchange = await publish('%2F/missing');
    assert.match(exchange.message, /^the broker refused: .*no exchange 'missing'/);
    const vhost = await publish('nowhere/events');
    assert.match(vhost.message, /^the broker refused: .*nowhere/);
    assert.equal(vhost.isSuccessful, false);
  });

  test('publishes to a virtual host of the url', async () => {
    const record = await publish('shop/amq.topic');
    assert.equal(record.message, 'no queue takes messages with the key member.added');
  });

  test('logs in with a secret, which is on no record', async () => {
    const login = { username: 'sender', password: { secret: 'BROKER' } };
    const url = `amqp://127.0.0.1:${rabbit.port}/%2F/events`;
    const right = outboundTo(rabbit.port, login, { BROKER: 'its-password' });
    const record = await attemptOf(right, { type: 'amqp', url });
    assert.equal(record.message, 'confirmed by the broker');
    assert.ok(!JSON.stringify(record).includes('its-password'));
    const wrong = outboundTo(rabbit.port, login, { BROKER: 'not-its-password' });
    const refused = await attemptOf(wrong, { type: 'amqp', url });
    assert.match(refused.message, /^the broker refused: /);
    assert.ok(!JSON.stringify(refused).includes('not-its-password'));
    const unset = outboundTo(rabbit.port, login, { BROKER: { env: 'NEXTEVENT_TEST_NOT_SET' } });
    const missing = await attemptOf(unset, { type: 'amqp', url });
    assert.equal(missing.message, 'the secret "BROKER" is not set');
    messages.length = 0;
  });

  test('finds a broker again that was away', async () => {
    const outbound = outboundTo(rabbit.port);
    const { signal } = new AbortController();
    const url = `amqp://127.0.0.1:${rabbit.port}/%2F/events`;
    const definition = toDefinition(
      { type: 'amqp', url, timeoutMs: 5_000 },
      { sources: SOURCES, outbound },
    );
    const send = () => makeAttempt(outbound, { definition, event: bob, reason: 'retry', signal });
    try {
      assert.equal((await send()).message, 'confirmed by the broker');
      await rabbit.control('stop_app');
      const away = await send();
      assert.equal(away.isSuccessful, false);
      assert.notEqual(away.message, '');
      assert.equal((await send()).message, 'connection refused');
      await rabbit.control('start_app');
      await until('the broker is back', async () => (await send()).isSuccessful);
    } finally {
      await closeTransports(outbound);
    }
  });
});

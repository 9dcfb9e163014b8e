// The activity that makes an attempt: where its event is from, and what is its result or its failure.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

import { CancelledFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';

import { createAttemptActivities, type AttemptDeps } from '../activities/attempt.ts';
import { toDefinition } from '../config/outbound.ts';
import type { AttemptRecord, AttemptRequest } from '../events/listener.ts';
import { storeBody } from '../events/webhook-body.ts';
import { closeTransports } from '../outbound/outbound.ts';
import { until } from '../testing/until.ts';
import { bob, outboundOf, SOURCES, startReceiver, stopReceivers } from './outbound.ts';

const outbound = outboundOf();

after(async () => {
  await closeTransports(outbound);
  stopReceivers();
});

async function nothingStored(): Promise<never> {
  throw new Error('nothing is stored');
}

/** Runs the activity as a worker does. */
function run(
  request: AttemptRequest,
  deps: Partial<AttemptDeps> = {},
  environment = new MockActivityEnvironment(),
): Promise<AttemptRecord> {
  const activities = createAttemptActivities({ outbound, readStored: nothingStored, ...deps });
  return environment.run((given: AttemptRequest) => activities.nexteventAttempt(given), request);
}

function requestTo(url: string, options: Partial<AttemptRequest> = {}): AttemptRequest {
  const definition = toDefinition({ url, dialect: 'json' }, { sources: SOURCES, outbound });
  return { listener: 'crm', definition, reason: 'event', event: bob, ...options };
}

describe('the activity of an attempt', () => {
  test('sends the event that it is given, its body as it reads', async () => {
    const receiver = await startReceiver();
    const event = { ...bob, data: { body: storeBody(Buffer.from('{"a":1}')) } };
    const record = await run(requestTo(receiver.url, { event }));
    assert.equal(record.message, '200 OK');
    const { body } = JSON.parse(receiver.seen[0]?.body ?? '') as { body: { json: unknown } };
    assert.deepEqual(body.json, { a: 1 });
  });

  test('sends the event that is the input of a delivery workflow', async () => {
    const receiver = await startReceiver();
    const read: unknown[] = [];
    const readStored = async (...asked: unknown[]) => {
      read.push(asked);
      return bob;
    };
    const stored = { storedIn: 7, eventId: bob.id, reason: 'retry' } as const;
    const { event: _, ...request } = requestTo(receiver.url, stored);
    const record = await run(request, { readStored });
    assert.deepEqual(read, [['nextevent/delivery/crm/7', bob.id]]);
    assert.equal(receiver.seen[0]?.body, '"Bob"');
    assert.equal(record.reason, 'retry');
  });

  test('fails if the event can not be read, so that it is tried again', async () => {
    const { event: _, ...request } = requestTo('http://127.0.0.1:9/', { storedIn: 7 });
    await assert.rejects(run(request), /nothing is stored/);
    const { storedIn: __, ...neither } = request;
    await assert.rejects(run(neither), TypeError);
  });

  test('tells the server that it is at work while a receiver takes its time', async () => {
    let beats = 0;
    const receiver = await startReceiver((response) => {
      until('there were two heartbeats', () => beats >= 2).then(
        () => response.end(),
        () => response.destroy(),
      );
    });
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', () => {
      beats += 1;
    });
    const record = await run(requestTo(receiver.url), {}, environment);
    assert.equal(record.message, '200 OK');
    assert.ok(record.durationMs > 1_000);
  });

  test('that is cancelled hangs up, and has no record', async () => {
    let isClosed = false;
    const receiver = await startReceiver((response) => {
      response.on('close', () => {
        isClosed = true;
      });
    });
    const environment = new MockActivityEnvironment();
    const running = run(requestTo(receiver.url), {}, environment);
    const failing = assert.rejects(running, CancelledFailure);
    await until('the receiver has the request', () => receiver.seen.length === 1);
    environment.cancel();
    await failing;
    await until('the receiver sees that nobody waits', () => isClosed);
  });

  test('gives what a mock answers', async () => {
    const mocks = { find: () => ({ status: 410 }) };
    const record = await run(requestTo('http://127.0.0.1:9/'), { mocks });
    assert.equal(record.message, '410 Gone');
    assert.equal(record.isGone, true);
  });
});

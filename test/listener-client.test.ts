// Listeners as seen from outside while no worker runs them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { Client, WorkflowUpdateOptions } from '@temporalio/client';

import { Deliveries } from '../dispatch/deliveries.ts';
import { DeliveryReader } from '../dispatch/delivery-reading.ts';
import { ListenerCalls } from '../dispatch/listener-calls.ts';
import { ListenerClient } from '../dispatch/listener-client.ts';
import {
  activateListenerUpdate,
  deliveryWorkflowId,
  listenerWorkflowId,
} from '../workflows/listener-messages.ts';
import { startServer, until, type TestServer } from './harness.ts';
import { toDefinition } from './listeners.ts';
import { CODE, grpcError } from './trouble.ts';

const TASK_QUEUE = 'nobody';

const definition = toDefinition({ name: 'alone', sources: ['s'], url: 'https://alone.example/' });

let server: TestServer;
let listeners: ListenerClient;

before(async () => {
  server = await startServer();
  listeners = new ListenerClient(server.client, TASK_QUEUE);
});

after(() => server.stop());

describe('a change that the server refuses because the task of the listener fails', () => {
  test('is made again, as the same', async () => {
    const told: string[] = [];
    const client = refusing(told, [CODE.FAILED_PRECONDITION, CODE.FAILED_PRECONDITION]);
    const changed = await new ListenerCalls(client).update('one', activateListenerUpdate, []);
    assert.deepEqual(changed, { changed: true });
    assert.equal(told.length, 3);
    assert.equal(new Set(told).size, 1);
  });

  test('is not made again if it was refused for anything else', async () => {
    const told: string[] = [];
    const client = refusing(told, [CODE.FAILED_PRECONDITION, CODE.UNAVAILABLE]);
    const changing = new ListenerCalls(client).update('one', activateListenerUpdate, []);
    await assert.rejects(changing, { name: 'ListenerSilentError' });
    assert.equal(told.length, 2);
  });
});

describe('without a worker', () => {
  test('a listener is created, and whoever creates it is told that nobody runs it', async () => {
    const creating = Array.from({ length: 4 }, () => listeners.create(definition));
    const created = await Promise.allSettled(creating);
    for (const result of created) {
      const { name, message } = (result as PromiseRejectedResult).reason as Error;
      assert.equal(name, 'ListenerSilentError');
      assert.match(message, /^listener "alone(-\d)?" is created, and subscribes once a worker/);
    }
    const ids = ['alone', 'alone-2', 'alone-3', 'alone-4'];
    for (const id of ids) assert.equal((await listeners.find(id)).status, 'active');
    await assert.rejects(listeners.find('alone-5'), { name: 'UnknownListenerError' });
  });

  test('listeners are listed and found, with no numbers', async () => {
    const listed = await until('visibility has them', async () => {
      const page = await listeners.list({}, { limit: 10, next: null });
      return page.listeners.length === 4 && page;
    });
    assert.equal(listed.next, null);
    const shown = await listeners.show('alone');
    assert.deepEqual([shown.deliveries, shown.definition], [null, definition]);
    assert.equal(shown.id, 'alone');
    const others = new ListenerClient(server.client, 'others');
    const none = await others.list({}, { limit: 10, next: null });
    assert.deepEqual(none.listeners, [], 'those of other projects are theirs');
  });

  test('one that somebody terminated is removed, and its id is never used again', async () => {
    await server.client.workflow.getHandle(listenerWorkflowId('alone-2')).terminate();
    const ended = await listeners.find('alone-2');
    assert.deepEqual([ended.status, ended.statusMessage], ['removed', 'Its workflow was ended.']);
    assert.equal((await listeners.remove('alone-2')).changed, false);
    await assert.rejects(listeners.activate('alone-2'), { name: 'ListenerConflictError' });
    await assert.rejects(listeners.create(definition, { id: 'alone-2' }), {
      name: 'ListenerConflictError',
    });
  });

  test('a delivery that is over is found all the same', async () => {
    const { client } = server;
    const reader = new DeliveryReader(client);
    const deliveries = new Deliveries({ client, listeners, reader });
    const delivery = {
      number: 7,
      eventId: 'e',
      source: 's',
      type: 't',
      status: 'skipped',
      message: '',
      createdAt: '2026-01-01T00:00:00.000Z',
      resolvedAt: '2026-01-01T00:00:00.000Z',
      attempts: [],
    } as const;
    await client.workflow.start('nexteventDelivery', {
      workflowId: deliveryWorkflowId('alone', 7),
      taskQueue: TASK_QUEUE,
      args: [{ delivery }],
      memo: { delivery },
    });
    assert.deepEqual(await deliveries.find('alone', 7), delivery);
    await assert.rejects(deliveries.find('alone', 8), { name: 'ListenerSilentError' });
  });
});

/** A client whose changes fail with these codes, one after the other, and then succeed. */
function refusing(told: string[], codes: readonly number[]): Client {
  return {
    connection: server.client.connection,
    workflow: {
      getHandle: () => ({
        async executeUpdate(_update: unknown, { updateId = '' }: WorkflowUpdateOptions) {
          const code = codes[told.length];
          told.push(updateId);
          if (code !== undefined) throw grpcError(code);
          return { changed: true };
        },
      }),
    },
  } as unknown as Client;
}

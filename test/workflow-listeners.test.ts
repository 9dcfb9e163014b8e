// Listeners that workflows create and change.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ListenerClient } from '../dispatch/listener-client.ts';
import { startApp, startServer, type TestApp, type TestServer } from './harness.ts';
import { resultOf } from './received.ts';

let server: TestServer;
let app: TestApp;
let listeners: ListenerClient;

before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: ['bought'], outbound: {} });
  listeners = new ListenerClient(app.client, app.taskQueue);
});

after(async () => {
  await app.stop();
  await server.stop();
});

describe('A workflow', () => {
  test('creates a listener, changes it and ends; the listener goes on', async () => {
    const received = app.mockDeliveryTo('https://managed.example/hooks/v2', { status: 200 });
    const handle = await app.start('manageListener', 'bought', "o'neill");
    const [id, ...changed] = await resultOf<unknown[]>(handle);
    assert.match(String(id), /^managed-[0-9a-f]{12}$/);
    assert.deepEqual(changed, [true, false, true, true, false]);
    await app.post('bought', { customer: "o'neill" }, 'b-1');
    await app.post('bought', { customer: 'another' }, 'b-2');
    await app.waitForPendingDeliveries(String(id));
    assert.equal(received.requests.length, 1);
    const ended = await app.start('endListener', id);
    assert.deepEqual(await resultOf(ended), [true, false]);
    assert.equal((await listeners.find(String(id))).status, 'removed');
  });

  test('creates another one with each call, and one with each however often it is tried', async () => {
    const options = { name: 'two', source: 'bought', url: 'https://two.example/' };
    const ids = await resultOf<string[]>(await app.start('createTwo', options));
    assert.equal(new Set(ids).size, 2);
    const { definition } = await listeners.find(ids[0] ?? '');
    const key = { id: 'tried', createdBy: 'a workflow, and this call of it' };
    const first = await listeners.create(definition, key);
    const again = await listeners.create(definition, key);
    assert.deepEqual([first.id, again.createdAt], [again.id, first.createdAt]);
    await assert.rejects(listeners.create(definition, { id: 'tried', createdBy: 'another' }), {
      name: 'ListenerConflictError',
    });
  });

  const failures: Array<[action: string, about: string, type: string, message: RegExp]> = [
    ['create', 'http://plain.example/', 'ListenerError', /https/],
    ['create', 'https://10.1.2.3/', 'ListenerError', /not allowed/],
    ['change', 'nobody', 'UnknownListenerError', /there is no listener "nobody"/],
    ['activate', 'nobody', 'UnknownListenerError', /there is no listener "nobody"/],
  ];
  for (const [action, about, type, message] of failures) {
    test(`that can not ${action} ${about} is told by ${type}`, async () => {
      const told = await resultOf<[string, string]>(await app.start('failToManage', action, about));
      assert.equal(told[0], type);
      assert.match(told[1], message);
    });
  }
});

test('without `outbound` a workflow is told so', async () => {
  const bare = await startApp(server, { sources: ['bare'] });
  try {
    const handle = await bare.start('failToManage', 'create', 'https://bare.example/');
    assert.deepEqual(await resultOf(handle), [
      'ListenerError',
      'the configuration has no `outbound`',
    ]);
  } finally {
    await bare.stop();
  }
});

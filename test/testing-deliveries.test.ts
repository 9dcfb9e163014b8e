// The test kit for listeners, as docs/testing.md shows it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { webhook } from 'nextevent';
import {
  quietRuntime,
  startTestApp,
  startTestServer,
  type TestApp,
  type TestServer,
} from 'nextevent/testing';

const CRM = 'https://crm.example/hooks';

let server: TestServer;
let app: TestApp;

before(async () => {
  quietRuntime();
  server = await startTestServer();
  app = await startTestApp(server, {
    workflowsPath: fileURLToPath(new URL('workflows/index.ts', import.meta.url)),
    sources: { orders: webhook({ verify: 'none' }) },
    outbound: {
      listeners: [
        {
          name: 'crm',
          source: 'orders',
          filter: 'data.body.json.total > 100.0',
          url: CRM,
          headers: { 'x-token': { secret: 'TOKEN' } },
          signing: 'KEY',
          retryMs: [50, 50],
        },
      ],
      secrets: { TOKEN: 't-1', KEY: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    },
  });
});

after(async () => {
  await app?.stop();
  await server.stop();
});

describe('mockDeliveryTo', () => {
  test('receives what a listener delivers, signed and with its secrets', async () => {
    const crm = app.mockDeliveryTo(CRM, { method: 'POST', status: 200 });
    await app.send('orders', { id: 'A-16', total: 7.5 });
    await app.send('orders', { id: 'A-17', total: 120.5 }, { id: 'order-1' });
    await app.waitForPendingDeliveries();
    assert.equal(crm.requests.length, 1);
    const [received] = crm.requests;
    assert.ok(received);
    const { url, method, headers, body } = received;
    assert.deepEqual([url, method, headers['x-token']], [CRM, 'POST', 't-1']);
    assert.match(headers['webhook-signature'] ?? '', /^v1,/);
    const { id, data } = JSON.parse(body) as { id: string; data: { body: { json: unknown } } };
    assert.equal(id, 'order-1');
    assert.deepEqual(data.body.json, { id: 'A-17', total: 120.5 });
  });

  test('the last one for a url counts, of those for the method', async () => {
    const refused = app.mockDeliveryTo(CRM, { status: 503, headers: { 'retry-after': '0' } });
    const others = app.mockDeliveryTo(CRM, { method: 'PUT', status: 200 });
    await app.send('orders', { total: 200.5 });
    await app.waitForPendingDeliveries('crm');
    assert.equal(refused.requests.length, 3, 'it is tried again as retryMs says');
    assert.equal(new Set(refused.requests.map(({ id }) => id)).size, 1);
    assert.equal(others.requests.length, 0);
  });
});

describe('waitForPendingDeliveries', () => {
  test('waits for what no worker has taken yet', async () => {
    const crm = app.mockDeliveryTo(CRM, { status: 200 });
    await app.stopWorker();
    await app.send('orders', { total: 300.5 });
    const waiting = app.waitForPendingDeliveries();
    await app.startWorker();
    await waiting;
    assert.equal(crm.requests.length, 1);
  });

  test('says what it has waited for in vain', async () => {
    app.mockDeliveryTo(CRM, { status: 503, headers: { 'retry-after': '50' } });
    await app.send('orders', { total: 400.5 });
    await assert.rejects(app.waitForPendingDeliveries('crm', { timeoutMs: 500 }), {
      name: 'WaitError',
      message: /until crm has delivered all/,
    });
  });
});

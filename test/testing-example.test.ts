// The example of docs/testing.md.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startTestApp, startTestServer, type TestApp, type TestServer } from 'nextevent/testing';

let server: TestServer;
let app: TestApp;

before(async () => {
  server = await startTestServer();
  app = await startTestApp(server, { config: 'nextevent.config.ts' });
});

after(async () => {
  await app.stop();
  await server.stop();
});

test('an order is approved by the decision about it', async () => {
  await app.send('orders', { id: 'A-17' }, { id: 'order-1' });
  await app.waitForSubscriptions('on-order/order-1', { source: 'approvals' });

  await app.send('approvals', { order: 'B-18', approved: false });
  await app.send('approvals', { order: 'A-17', approved: true });
  assert.equal(await resultOf('on-order/order-1'), 'order A-17: approved');
});

test('an order that nobody decides about is given up', async () => {
  await app.send('orders', { id: 'C-19', decideWithinMs: 50 }, { id: 'order-2' });
  assert.equal(await resultOf('on-order/order-2'), 'order C-19: nobody decided in time');
});

function resultOf(workflowId: string): Promise<unknown> {
  return app.client.workflow.getHandle(workflowId).result();
}

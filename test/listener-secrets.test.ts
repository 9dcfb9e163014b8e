// Secrets go to the receiver, and nowhere else.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';
import { Webhook } from 'standardwebhooks';

import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { startListener, TO_THIS_MACHINE } from './listeners.ts';
import { deliver } from './observe.ts';
import { Receiver } from './receiving.ts';

const TOKEN = 'token-that-nobody-else-may-see';
const KEY = Buffer.from('key-that-nobody-else-may-see-either').toString('base64');

let server: TestServer;
let app: TestApp;

before(async () => {
  server = await startServer();
  const secrets = { CRM_TOKEN: TOKEN, CRM_KEY: `whsec_${KEY}` };
  const outbound = { ...TO_THIS_MACHINE, secrets };
  app = await startApp(server, { sources: ['orders'], outbound });
});

after(async () => {
  await app?.stop();
  await server?.stop();
});

test('a secret is in no history, memo or answer, even if the receiver says it back', async () => {
  let answers = 0;
  await using receiver = await Receiver.start(({ headers }) => ({
    status: (answers += 1) === 1 ? 500 : 200,
    headers: { 'x-said-back': String(headers.authorization) },
    body: JSON.stringify(headers),
  }));
  const listener = await startListener(app, {
    sources: ['orders'],
    url: receiver.url,
    headers: { authorization: { secret: 'CRM_TOKEN', prefix: 'Bearer ' } },
    signing: [{ secret: 'CRM_KEY' }],
  });
  await deliver(app, 'orders', { n: 1 }, 'first');
  // It is the one that fails, and that is stored for it: the second could come before it.
  await until('the first was tried', () => receiver.received.length > 0);
  await deliver(app, 'orders', { n: 2 }, 'second');
  await listener.untilDelivered('successful', 2);
  assert.equal(receiver.received.length, 3);
  for (const { headers, body } of receiver.received) {
    assert.equal(headers.authorization, `Bearer ${TOKEN}`);
    new Webhook(KEY).verify(body, headers as Record<string, string>);
  }
  const stored = await listener.stored(1);
  await stored.result();
  const handles = [
    listener.handle,
    stored,
    app.client.workflow.getHandle('nextevent/source/orders'),
  ];
  const all = [
    JSON.stringify([await listener.view(), await listener.deliveries()]),
    ...(await Promise.all(handles.map(textOf))),
  ].join('\n');
  assert.ok(all.includes('***'), 'there is something in place of them');
  assert.ok(all.includes('CRM_TOKEN'), 'their names are there');
  for (const secret of [TOKEN, KEY, Buffer.from(KEY, 'base64').toString()]) {
    assert.ok(!all.includes(secret), `${secret} is on record`);
    assert.ok(!all.includes(Buffer.from(secret).toString('base64')));
  }
});

/** All that the history of a workflow has in it, and its memo. */
async function textOf(handle: WorkflowHandle): Promise<string> {
  const texts: string[] = [JSON.stringify((await handle.describe()).memo)];
  const collect = (value: unknown): void => {
    if (value instanceof Uint8Array) texts.push(Buffer.from(value).toString());
    else if (typeof value === 'string') texts.push(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
  };
  collect(await handle.fetchHistory());
  return texts.join('\n');
}

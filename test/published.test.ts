// Published events on their way to workflows, on a real server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';

import type { Event } from '../events/event.ts';
import { startApp, startServer, type TestApp, type TestServer } from './harness.ts';
import { leaveAlone, untilDispatched } from './observe.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';

const BATCHED = 'application/cloudevents-batch+json';

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: [],
    published: ['orders', 'repeated', 'batches', 'queued', 'images'],
    triggers: [
      {
        name: 'on-order',
        source: 'orders',
        filter: "event_type == 'paid'",
        workflow: 'returnWhole',
      },
      { name: 'on-repeated', source: 'repeated', filter: '', workflow: 'returnEvent' },
      { name: 'on-batch', source: 'batches', filter: 'data.start', workflow: 'returnEvent' },
      {
        name: 'on-image',
        source: 'images',
        filter: 'size(data.body.bytes) == 3',
        workflow: 'returnWhole',
      },
    ],
  });
});
after(async () => {
  await app.stop();
  await server.stop();
});

describe('A published event', () => {
  test('starts the workflow of a trigger, which gets it as it was published', async () => {
    const id = await app.publish('orders', {
      id: 'A-17',
      source: '/shop',
      type: 'paid',
      subject: 'order/17',
      data: { total: 12.5 },
    });
    await app.publish('orders', { type: 'opened' });
    assert.equal(id, '/shop|A-17');
    const { time, ...event } = await resultOf<Event>(startedBy('on-order', id));
    assert.ok(Date.parse(time) <= Date.now());
    assert.deepEqual(event, {
      id,
      source: 'orders',
      type: 'paid',
      subject: 'order/17',
      data: { total: 12.5 },
      attributes: { source: '/shop' },
    });
  });

  test('that is bytes is bytes in the workflow, and for filters', async () => {
    const response = await post('images', {
      headers: { ...attributes('I-1', '/camera'), 'content-type': 'image/png' },
      body: Uint8Array.of(0xff, 0, 1),
    });
    assert.equal(response.status, 202);
    const { data } = await resultOf<Event<{ body: unknown }>>(startedBy('on-image', '/camera|I-1'));
    assert.match(JSON.stringify(data.body), /base64.*\/wAB/);
  });

  test('again has the same answer, starts nothing, and is received once', async () => {
    const collecting = await startCollecting(app, [['repeated', "event_type != 'x'"]]);
    const event = { id: 'R-1', source: '/shop', type: 'paid' };
    const answers = [await app.publish('repeated', event)];
    const run = await runOf('on-repeated', '/shop|R-1');
    await resultOf(startedBy('on-repeated', '/shop|R-1'));
    for (let time = 0; time < 3; time += 1) answers.push(await app.publish('repeated', event));
    const raced = [1, 2, 3, 4].map(() => app.publish('repeated', event));
    answers.push(...(await Promise.all(raced)));
    assert.deepEqual(new Set(answers), new Set(['/shop|R-1']));
    // The same id of another publisher is another event.
    await app.publish('repeated', { ...event, source: '/other' });
    await end('repeated');
    assert.deepEqual(await receivedBy(collecting), ['/shop|R-1', '/other|R-1']);
    assert.equal(await runOf('on-repeated', '/shop|R-1'), run);
  });

  test('that goes by way of the backlog is received once, too', async () => {
    const collecting = await startCollecting(app, [['queued', '']]);
    await leaveAlone(app, 'queued');
    const event = { id: 'Q-1', source: '/shop', type: 'paid' };
    assert.equal(await app.publish('queued', event), '/shop|Q-1');
    assert.equal(await app.publish('queued', event), '/shop|Q-1');
    const logged = app.ingress.lines.filter((line) => line.startsWith('queued paid -> '));
    assert.deepEqual(logged, ['queued paid -> queued', 'queued paid -> queued']);
    await app.startWorker();
    await untilDispatched(app, 'queued');
    await app.publish('queued', event);
    await end('queued');
    assert.deepEqual(await receivedBy(collecting), ['/shop|Q-1']);
  });
});

describe('A batch', () => {
  test('is received whole, and once, however often it is sent', async () => {
    const collecting = await startCollecting(app, [['batches', '']]);
    const batch = Array.from({ length: 20 }, (_, index) => ({
      specversion: '1.0',
      id: `B-${index}`,
      source: '/shop',
      type: 'counted',
      data: { start: index === 0 },
    }));
    const bodies: string[] = [];
    const runs = new Set<string>();
    for (const sent of [batch.slice(0, 5), batch, batch]) {
      const response = await post('batches', {
        headers: { 'content-type': BATCHED },
        body: JSON.stringify(sent),
      });
      assert.equal(response.status, 202);
      bodies.push(await response.text());
      runs.add(await runOf('on-batch', '/shop|B-0'));
    }
    assert.equal(bodies[1], bodies[2]);
    await end('batches');
    const received = await receivedBy(collecting);
    assert.equal(received.length, 20);
    assert.deepEqual(new Set(received), new Set(batch.map(({ id }) => `/shop|${id}`)));
    assert.equal(runs.size, 1);
  });
});

describe('In binary mode', () => {
  test('a header that comes twice is refused', async () => {
    const { url, publisherKey } = app.ingress;
    const sending = request(`${url}/events/orders`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${publisherKey}`,
        ...attributes('D-1', '/shop'),
        'ce-type': ['one', 'two'],
      },
    }).end();
    const [response] = (await once(sending, 'response')) as [AsyncIterable<Buffer>];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    assert.match(text, /ce-type is given twice/);
  });
});

function startedBy(trigger: string, id: string): WorkflowHandle {
  return app.client.workflow.getHandle(`${trigger}/${id}`);
}

/** Another run of the workflow would have another id. */
async function runOf(trigger: string, id: string): Promise<string> {
  return (await startedBy(trigger, id).describe()).runId;
}

/** Ends what collects the events of a source. */
async function end(source: string): Promise<void> {
  await app.publish(source, { source: 'end', type: 'end' });
  await untilDispatched(app, source);
}

function attributes(id: string, source: string): Record<string, string> {
  return { 'ce-specversion': '1.0', 'ce-type': 'sent', 'ce-id': id, 'ce-source': source };
}

function post(source: string, { headers, body }: RequestInit): Promise<Response> {
  const authorization = `Bearer ${app.ingress.publisherKey}`;
  return fetch(`${app.ingress.url}/events/${source}`, {
    method: 'POST',
    headers: { authorization, ...(headers as Record<string, string>) },
    body: body ?? null,
  });
}

// What listeners are to do, requirement by requirement: docs/listeners.md has the table. The names are
// those of the requirements: M of Mistral's HTTP listeners, N of nti.webhooks.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { defineTransport, type OutboundRequest } from '../nextevent.ts';
import { startServer, until, type TestServer } from './harness.ts';
import { startListening, type Body, type ListeningApp } from './listening.ts';
import { startCollecting } from './received.ts';

const TOKEN = 't0ken-that-is-secret';

/** What the transport of this project has been given. */
const queued: OutboundRequest[] = [];

let server: TestServer;
let listening: ListeningApp;

before(async () => {
  server = await startServer();
  listening = await startListening(server, {
    sources: ['hooks'],
    published: ['people', 'tasks'],
    outbound: {
      listeners: [
        {
          name: 'fixed',
          source: 'people',
          events: ['modified'],
          url: 'https://example.com/another/path',
          dialect: 'json',
          retryMs: [],
        },
      ],
      secrets: { TOKEN },
      transports: {
        queue: defineTransport({
          async send(request) {
            queued.push(request);
            return { isSuccessful: true, message: 'queued' };
          },
        }),
      },
    },
  });
});

after(async () => {
  await listening?.stop();
  await server.stop();
});

describe('Listeners of Mistral', () => {
  test('M-01, M-04: who registers a url is posted what happens, and a wrong url is 400', async () => {
    const { app, post, ask } = listening;
    const url = 'https://mistral.example/m-01';
    const received = app.mockDeliveryTo(url, { method: 'POST', status: 200 });
    await post('/api/v1/listeners', { source: 'tasks', events: ['m-01'], url });
    await app.publish('tasks', { type: 'm-01' });
    await app.waitForPendingDeliveries();
    assert.deepEqual(
      received.requests.map((request) => request.url),
      [url],
    );
    const wrong = await ask('POST', '/api/v1/listeners', { url: 'http://mistral.example/' });
    assert.equal(wrong.status, 400);
  });

  test('M-03: EXECUTION and TASK stand for all events of theirs', async () => {
    const { app, post } = listening;
    const url = 'https://mistral.example/m-03';
    const received = app.mockDeliveryTo(url, { status: 200 });
    await post('/api/v1/listeners', { source: 'tasks', events: ['TASK'], url });
    await app.publish('tasks', { type: 'WORKFLOW_LAUNCHED', id: 'w' });
    await app.publish('tasks', { type: 'TASK_SUCCEEDED', id: 't' });
    await app.waitForPendingDeliveries();
    const types = received.requests.map(({ body }) => (JSON.parse(body) as Body).type);
    assert.deepEqual(types, ['TASK_SUCCEEDED']);
  });

  test('M-06, M-10: another transport is a few lines, and callback is the one that is built in', async () => {
    const { app, post } = listening;
    const given = { source: 'tasks', events: ['m-06'], url: 'queue://anywhere' };
    await post('/api/v1/listeners', { ...given, type: 'queue' });
    await app.publish('tasks', { type: 'm-06' });
    await app.waitForPendingDeliveries();
    assert.deepEqual(
      queued.map(({ event }) => event.type),
      ['m-06'],
    );
    const callback = { type: 'callback', events: ['never'], url: 'https://mistral.example/' };
    assert.equal((await post('/api/v1/listeners', { ...callback })).type, 'webhook');
  });

  test('M-07: the form of the blueprint is taken, also inside of callback', async () => {
    const { post } = listening;
    const literal = {
      events: ['on-task-complete'],
      url: 'https://mistral.example/m-07',
      method: 'POST',
      headers: {},
    };
    for (const body of [literal, { callback: literal }]) {
      const created = await post('/api/v1/listeners', body);
      assert.deepEqual(
        [created.url, created.method, created.headers, created.filter],
        [literal.url, 'POST', {}, "event_type == 'on-task-complete'"],
      );
    }
  });

  test('M-08: the method is the one that is given', async () => {
    const { app, post } = listening;
    const url = 'https://mistral.example/m-08';
    const received = app.mockDeliveryTo(url, { method: 'PUT', status: 200 });
    await post('/api/v1/listeners', { source: 'tasks', events: ['m-08'], url, method: 'put' });
    await app.publish('tasks', { type: 'm-08' });
    await app.waitForPendingDeliveries();
    assert.deepEqual(
      received.requests.map(({ method }) => method),
      ['PUT'],
    );
  });

  test('M-09: a token arrives, and is on no record', async () => {
    const { app, post, get } = listening;
    const url = 'https://mistral.example/m-09';
    const received = app.mockDeliveryTo(url, { status: 200, body: `you sent ${TOKEN}` });
    const headers = { authorization: { secret: 'TOKEN', prefix: 'Bearer ' }, 'x-team': 'm' };
    const given = { name: 'm-09', source: 'tasks', events: ['m-09'], url, headers };
    const created = await post('/api/v1/listeners', given);
    await app.publish('tasks', { type: 'm-09' });
    await app.waitForPendingDeliveries('m-09');
    assert.equal(received.requests[0]?.headers.authorization, `Bearer ${TOKEN}`);
    const attempt = await get(`${String(created.path)}/deliveries/1/attempts/1`);
    assert.match(JSON.stringify(attempt), /Bearer \*\*\*/);
    const told = [created, attempt, await get(String(created.path))];
    told.push(await get(`${String(created.path)}/deliveries`));
    const { workflow } = app.client;
    for await (const execution of workflow.list({
      query: "WorkflowType = 'nexteventListener'",
    })) {
      const { workflowId, runId, memo } = execution;
      const { events } = await workflow.getHandle(workflowId, runId).fetchHistory();
      const payloads = JSON.stringify({ memo, events }, (key, value: unknown) =>
        key === 'data' && typeof value === 'string'
          ? Buffer.from(value, 'base64').toString()
          : value instanceof Uint8Array
            ? Buffer.from(value).toString()
            : value,
      );
      told.push({ payloads });
    }
    assert.ok(told.length > 4);
    assert.ok(!JSON.stringify(told).includes(TOKEN));
    assert.ok(!app.ingress.lines.join('\n').includes(TOKEN));
  });

  test('M-19: a request has what its receiver needs to know', async () => {
    const { app, post } = listening;
    const url = 'https://mistral.example/m-19';
    const received = app.mockDeliveryTo(url, { status: 200 });
    await post('/api/v1/listeners', { source: 'tasks', events: ['m-19'], url });
    const id = await app.publish('tasks', { type: 'm-19', id: '19', data: { task: 't-1' } });
    await app.waitForPendingDeliveries();
    const [request] = received.requests;
    assert.equal(request?.headers['content-type'], 'application/cloudevents+json');
    const { specversion, type, data, time } = JSON.parse(request?.body ?? '') as Body;
    assert.deepEqual([specversion, type, data], ['1.0', 'm-19', { task: 't-1' }]);
    assert.ok(Date.parse(String(time)) <= Date.now());
    assert.equal(id, '/tests|19');
  });

  test('M-20: what is changed while it runs is so for what comes later', async () => {
    const { app, post, ask } = listening;
    const first = app.mockDeliveryTo('https://mistral.example/m-20/one', { status: 200 });
    const second = app.mockDeliveryTo('https://mistral.example/m-20/two', { status: 200 });
    const url = 'https://mistral.example/m-20/one';
    const { path } = await post('/api/v1/listeners', { source: 'tasks', events: ['m-20-a'], url });
    await app.publish('tasks', { type: 'm-20-a' });
    await app.publish('tasks', { type: 'm-20-b' });
    await app.waitForPendingDeliveries();
    const changes = { events: ['m-20-b'], url: 'https://mistral.example/m-20/two' };
    assert.equal((await ask('PATCH', String(path), changes)).body.changed, true);
    await app.publish('tasks', { type: 'm-20-a' });
    await app.publish('tasks', { type: 'm-20-b' });
    await app.waitForPendingDeliveries();
    const typesOf = (requests: typeof first.requests) =>
      requests.map(({ body }) => (JSON.parse(body) as Body).type);
    assert.deepEqual([typesOf(first.requests), typesOf(second.requests)], [['m-20-a'], ['m-20-b']]);
  });

  test('M-22: a url is enough: every event of every source, by POST', async () => {
    const { app, post, ask } = listening;
    const url = 'https://m-22.example/hooks';
    const received = app.mockDeliveryTo(url, { method: 'POST', status: 200 });
    const created = await post('/api/v1/listeners', { url });
    assert.deepEqual(
      [created.id, created.method, created.filter, created.sources],
      ['m-22.example', 'POST', '', ['hooks', 'people', 'tasks']],
    );
    await app.publish('tasks', { type: 'm-22' });
    await app.post('hooks', { any: 'thing' });
    await app.waitForPendingDeliveries('m-22.example');
    assert.equal(received.requests.length, 2);
    await ask('DELETE', String(created.path));
  });

  test('M-05, M-21, M-23: no workflow and no sender hears of listeners, whose receivers fail', async () => {
    const { app, post } = listening;
    const url = 'https://mistral.example/m-23';
    const received = app.mockDeliveryTo(url, { status: 500 });
    const handle = await startCollecting(app, [['people', '']]);
    const length = (await handle.describe()).historyLength;
    await post('/api/v1/listeners', { source: 'tasks', events: ['m-23'], url, retryMs: [] });
    await app.publish('tasks', { type: 'm-23' });
    await app.waitForPendingDeliveries();
    assert.equal(received.requests.length, 1);
    assert.equal((await handle.describe()).historyLength, length);
    await handle.terminate();
  });
});

describe('Subscriptions of nti.webhooks', () => {
  test('N-01: a listener is created, deactivated, activated and removed while all runs', async () => {
    const { post, ask, get } = listening;
    const { path } = await post('/api/v1/listeners', { name: 'n-01', url: 'https://n.example/' });
    const states = [(await get(String(path))).status];
    for (const action of ['deactivate', 'activate']) {
      const { body } = await ask('POST', `${String(path)}/${action}`);
      states.push((body.listener as Body).status);
    }
    states.push(((await ask('DELETE', String(path))).body.listener as Body).status);
    assert.deepEqual(states, ['active', 'inactive', 'active', 'removed']);
  });

  test('N-02: listeners and what they delivered are there after a restart of everything', async () => {
    const { app, post, get } = listening;
    const url = 'https://nti.example/n-02';
    app.mockDeliveryTo(url, { status: 200 });
    await post('/api/v1/listeners', { name: 'n-02', source: 'people', events: ['n-02'], url });
    await app.publish('people', { type: 'n-02' });
    await app.waitForPendingDeliveries('n-02');
    const paths = ['/api/v1/listeners/n-02', '/api/v1/listeners/n-02/deliveries'];
    paths.push('/api/v1/listeners/n-02/deliveries/1/attempts/1');
    const told = await Promise.all(paths.map(get));
    await app.stopWorker();
    await app.startWorker();
    // While nobody can say how many deliveries are pending, these numbers are null.
    await until('its workflow answers', async () => (await get(paths[0]!)).pending !== null);
    assert.deepEqual(await Promise.all(paths.map(get)), told);
  });

  test('N-03, N-05: all is in one tree, and every path leads to what has it', async () => {
    const { app, post, get } = listening;
    const url = 'https://nti.example/n-03';
    app.mockDeliveryTo(url, { status: 200 });
    const given = { name: 'n-03', owner: 'n-03', source: 'people', events: ['n-03'], url };
    await post('/api/v1/listeners', given);
    await app.publish('people', { type: 'n-03' });
    await app.waitForPendingDeliveries('n-03');
    const [listed] = await until('visibility has it', async () => {
      const { listeners } = await get('/api/v1/listeners?owner=n-03');
      return (listeners as Body[]).length > 0 && (listeners as Body[]);
    });
    const listener = await get(String(listed?.path));
    const { deliveries } = await get(`${String(listener.path)}/deliveries`);
    const [delivery] = deliveries as Body[];
    const [reference] = (delivery?.attempts ?? []) as Body[];
    const attempt = await get(String(reference?.path));
    for (const record of [listener, delivery, attempt]) {
      assert.deepEqual(await get(String(record?.path)), record);
    }
    assert.ok(String(attempt.path).startsWith(`${String(delivery?.path)}/`));
    assert.ok(String(delivery?.path).startsWith(`${String(listener.path)}/`));
  });

  test('N-04: a project that says no more than outbound: {} has listeners', async () => {
    const { app } = listening;
    const { createToDefinition } = await import('../config/to-definition.ts');
    const { resolveOutbound } = await import('../config/outbound.ts');
    const { sources } = app.config;
    const toDefinition = createToDefinition({ sources, outbound: resolveOutbound({}, sources) });
    assert.equal(toDefinition?.({ url: 'https://nti.example/' }).name, 'nti.example');
  });

  test('N-13, N-15 to N-18, N-20: static and dynamic, one gets 200 and one 404, all on record', async () => {
    const { app, post, get } = listening;
    const some = 'https://example.com/some/path';
    const another = 'https://example.com/another/path';
    const successful = app.mockDeliveryTo(some, { method: 'POST', status: 200 });
    const failed = app.mockDeliveryTo(another, { method: 'POST', status: 404 });
    const given = { name: 'dynamic', source: 'people', events: ['modified'], dialect: 'json' };
    await post('/api/v1/listeners', { ...given, url: some });
    await app.publish('people', { type: 'modified', data: 'Bob' });
    await app.waitForPendingDeliveries();

    assert.deepEqual([successful.requests.length, failed.requests.length], [1, 1]);
    const wanted: Array<[listener: string, url: string, status: string, message: string]> = [
      ['dynamic', some, 'successful', '200 OK'],
      ['fixed', another, 'failed', '404 Not Found'],
    ];
    for (const [listener, url, status, message] of wanted) {
      const { deliveries } = await get(`/api/v1/listeners/${listener}/deliveries`);
      const [delivery] = deliveries as Body[];
      assert.deepEqual([delivery?.status, delivery?.message], [status, message]);
      const [{ path } = {}] = (delivery?.attempts ?? []) as Body[];
      const { startedAt, durationMs, request, response, ...rest } = await get(String(path));
      const isSuccessful = status === 'successful';
      // Nothing of an exception: an answer that refuses is none.
      assert.deepEqual(rest, { number: 1, path, isSuccessful, message, reason: 'event' });
      assert.ok(Date.parse(String(startedAt)) > 0 && Number(durationMs) >= 0);
      assert.equal((response as Body).status, Number.parseInt(message, 10));
      const { headers, ...sent } = request as Body & { headers: Record<string, string> };
      assert.deepEqual(sent, { url, method: 'POST', body: '"Bob"' });
      const byName = new Map(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));
      assert.deepEqual(
        ['accept', 'connection', 'content-length', 'content-type'].map((k) => byName.get(k)),
        ['*/*', 'keep-alive', '5', 'application/json'],
      );
      assert.match(byName.get('user-agent') ?? '', /^nextevent\//);
      assert.ok(byName.has('accept-encoding'));
    }
  });

  test('N-14: what was not accepted is delivered to nobody', async () => {
    const { app, post, get } = listening;
    const url = 'https://nti.example/n-14';
    await post('/api/v1/listeners', { name: 'n-14', source: 'people', events: ['n-14'], url });
    await assert.rejects(app.publish('people', { type: 'n-14', id: 'x'.repeat(10_000) }));
    await app.waitForPendingDeliveries('n-14');
    const { deliveries } = await get('/api/v1/listeners/n-14/deliveries');
    assert.deepEqual(deliveries, []);
  });

  test('N-19: a target is https, and public', async () => {
    for (const url of ['http://example.com/', 'https://10.0.0.1/', 'https://[::1]/', 'file:///x']) {
      assert.equal((await listening.ask('POST', '/api/v1/listeners', { url })).status, 400, url);
    }
  });

  test('N-22: ids can be read, and are unique', async () => {
    const given = { name: 'PersistentSubscription', url: 'https://nti.example/n-22' };
    const ids: unknown[] = [];
    for (let i = 0; i < 3; i += 1) ids.push((await listening.post('/api/v1/listeners', given)).id);
    assert.deepEqual(ids, [
      'PersistentSubscription',
      'PersistentSubscription-2',
      'PersistentSubscription-3',
    ]);
  });
});

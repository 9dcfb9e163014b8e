// Listeners and their deliveries by the management API, and by the commands that ask it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startServer, until, type TestServer } from './harness.ts';
import { startListening, type Body, type ListeningApp } from './listening.ts';

const CLI = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const SECRET = 's3cr3t-of-the-crm';

const run = promisify(execFile);

let server: TestServer;
let listening: ListeningApp;

before(async () => {
  server = await startServer();
  listening = await startListening(server, {
    sources: ['orders', 'hooks'],
    outbound: {
      listeners: [{ name: 'fixed', source: 'hooks', url: 'https://fixed.example/hooks' }],
      secrets: { CRM_TOKEN: SECRET },
    },
  });
});

after(async () => {
  await listening?.stop();
  await server.stop();
});

describe('POST /listeners', () => {
  test('creates a listener that gets what is posted afterwards', async () => {
    const { app, get, post } = listening;
    const received = app.mockDeliveryTo('https://crm.example/hooks', { status: 200 });
    const filter = "data.body.json.to == 'crm'";
    const url = 'https://crm.example/hooks';
    const created = await post('/api/v1/listeners', { name: 'crm', source: 'orders', filter, url });
    assert.equal(created.id, 'crm');
    assert.equal(created.status, 'active');
    await app.post('orders', { to: 'crm' }, 'e-1');
    await app.post('orders', { to: 'others' }, 'e-2');
    await app.waitForPendingDeliveries();
    assert.equal(received.requests.length, 1);
    const shown = await get('/api/v1/listeners/crm');
    assert.deepEqual([shown.deliveries, shown.pending, shown.failuresInRow], [1, 0, 0]);
  });

  test('gives what is called the same another id, also at the same time, and never one again', async () => {
    const { post, ask } = listening;
    const definition = { name: 'twin', source: 'orders', url: 'https://twin.example/' };
    const created = await Promise.all(
      Array.from({ length: 5 }, () => post('/api/v1/listeners', definition)),
    );
    const ids = ['twin', 'twin-2', 'twin-3', 'twin-4', 'twin-5'];
    assert.deepEqual(created.map(({ id }) => id).toSorted(), ids);
    for (const id of ids) await ask('DELETE', `/api/v1/listeners/${id}`);
    assert.equal((await post('/api/v1/listeners', definition)).id, 'twin-6');
  });

  test('takes an id, once', async () => {
    const definition = { id: 'exact', source: 'orders', url: 'https://exact.example/' };
    const { post, ask } = listening;
    assert.equal((await post('/api/v1/listeners', definition)).id, 'exact');
    const again = await ask('POST', '/api/v1/listeners', definition);
    assert.equal(again.status, 409);
    assert.match(String(again.body.detail), /another listener "exact"/);
  });

  const wrong: Array<[what: string, body: unknown, detail: RegExp]> = [
    ['no url', { source: 'orders' }, /url/],
    ['a url that is not https', { url: 'http://crm.example/' }, /https/],
    ['a url of this machine', { url: 'https://127.0.0.1/' }, /allowed/],
    ['an unknown source', { url: 'https://crm.example/', source: 'nope' }, /nope/],
    ['a filter that is none', { url: 'https://crm.example/', filter: '1 +' }, /filter/],
    ['an unknown secret', { url: 'https://crm.example/', signing: 'NOPE' }, /NOPE/],
    ['an unknown transport', { url: 'https://crm.example/', type: 'pigeon' }, /pigeon/],
    ['an id with a slash', { url: 'https://crm.example/', id: 'a/b' }, /id/],
    ['a secret in plain text', { url: 'https://c.example/', headers: { cookie: 'x' } }, /secret/],
  ];
  for (const [what, body, detail] of wrong) {
    test(`refuses ${what}`, async () => {
      const answered = await listening.ask('POST', '/api/v1/listeners', body);
      assert.equal(answered.status, 400, JSON.stringify(answered.body));
      assert.match(String(answered.body.detail), detail);
    });
  }
});

test('a listener that its source can not take is 409, and is gone', async () => {
  const { ask } = listening;
  // Each costs what every event has to be held against.
  const filter = "data.body.json.a.matches('x.*y')";
  const given = { source: 'hooks', filter, url: 'https://costly.example/' };
  const statuses = new Set<number>();
  for (let n = 0; n < 105 && !statuses.has(409); n += 1) {
    const { status, body } = await ask('POST', '/api/v1/listeners', {
      ...given,
      id: `costly-${n}`,
    });
    statuses.add(status);
    if (status !== 409) continue;
    assert.match(String(body.detail), /hooks/);
    assert.equal((await listening.get(`/api/v1/listeners/costly-${n}`)).status, 'removed');
  }
  assert.deepEqual([...statuses], [201, 409]);
});

describe('/listeners/{id}', () => {
  test('PATCH changes what is given, and leaves the rest', async () => {
    const { post, ask, get } = listening;
    const url = 'https://patched.example/one';
    const given = { name: 'patched', source: 'orders', filter: 'data.a == 1', url, owner: 'ann' };
    const { path } = await post('/api/v1/listeners', given);
    const changed = await ask('PATCH', String(path), { url: 'https://patched.example/two' });
    assert.equal(changed.body.changed, true);
    const shown = await get(String(path));
    assert.deepEqual(
      [shown.url, shown.filter, shown.owner, shown.sources],
      ['https://patched.example/two', 'data.a == 1', 'ann', ['orders']],
    );
    const same = await ask('PATCH', String(path), { url: 'https://patched.example/two' });
    assert.equal(same.body.changed, false);
    await ask('PATCH', String(path), { events: ['order.paid'], source: 'hooks' });
    const again = await get(String(path));
    assert.deepEqual([again.filter, again.sources], ["event_type == 'order.paid'", ['hooks']]);
    const wrong = await ask('PATCH', String(path), { url: 'ftp://patched.example/' });
    assert.equal(wrong.status, 400);
  });

  test('PATCH by several at the same time loses nothing of any of them', async () => {
    const { post, ask, get } = listening;
    const given = { name: 'together', source: 'orders', url: 'https://together.example/' };
    const { path } = await post('/api/v1/listeners', given);
    const changes = [
      { owner: 'ann' },
      { description: 'all of it' },
      { method: 'PUT' },
      { ratePerSecond: 5 },
    ];
    const answers = await Promise.all(changes.map((change) => ask('PATCH', String(path), change)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      changes.map(() => 200),
    );
    const { owner, description, method, ratePerSecond } = await get(String(path));
    assert.deepEqual(
      { owner, description, method, ratePerSecond },
      Object.assign({}, ...changes) as Body,
    );
  });

  test('is activated and deactivated once, and says why', async () => {
    const { post, ask } = listening;
    const { path } = await post('/api/v1/listeners', { name: 'off', url: 'https://off.example/' });
    const states: unknown[] = [];
    for (const action of ['deactivate?reason=holiday', 'deactivate', 'activate', 'activate']) {
      const { body } = await ask('POST', `${String(path)}/${action}`);
      const listener = body.listener as Body;
      states.push([body.changed, listener.status, listener.statusMessage]);
    }
    assert.deepEqual(states, [
      [true, 'inactive', 'holiday'],
      [false, 'inactive', 'holiday'],
      [true, 'active', 'Active'],
      [false, 'active', 'Active'],
    ]);
  });

  test('DELETE removes for good; it is still there to be looked at', async () => {
    const { post, ask, get } = listening;
    const { path } = await post('/api/v1/listeners', {
      name: 'gone',
      url: 'https://gone.example/',
    });
    assert.equal((await ask('DELETE', String(path))).body.changed, true);
    assert.equal((await ask('DELETE', String(path))).body.changed, false);
    assert.equal((await get(String(path))).status, 'removed');
    assert.equal((await ask('POST', `${String(path)}/activate`)).status, 409);
    assert.equal((await ask('PATCH', String(path), { filter: '' })).status, 409);
  });

  test('is not changed or removed here if the configuration has it', async () => {
    const { ask, get } = listening;
    assert.equal((await get('/api/v1/listeners/fixed')).isStatic, true);
    assert.equal((await ask('PATCH', '/api/v1/listeners/fixed', { filter: '' })).status, 409);
    assert.equal((await ask('DELETE', '/api/v1/listeners/fixed')).status, 409);
  });

  test('that is not there is 404, with everything below', async () => {
    const { ask } = listening;
    const asked: Array<[method: string, below: string]> = [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/activate'],
      ['POST', '/deactivate'],
      ['GET', '/deliveries'],
      ['GET', '/deliveries/1'],
      ['GET', '/deliveries/1/attempts/1'],
      ['POST', '/deliveries/1/redeliver'],
    ];
    for (const [method, below] of asked) {
      const { status } = await ask(method, `/api/v1/listeners/nobody${below}`);
      assert.equal(status, 404, `${method} ${below}`);
    }
    assert.equal((await ask('PUT', '/api/v1/listeners/nobody')).status, 405);
    assert.equal((await ask('GET', '/api/v1/listeners/fixed/deliveries/x')).status, 400);
  });
});

test('GET /listeners lists by owner, source and status, page by page', async () => {
  const { post, get, ask } = listening;
  const created: string[] = [];
  for (const name of ['la', 'lb', 'lc']) {
    const given = { name, owner: 'lister', source: 'hooks', url: 'https://list.example/' };
    created.push(String((await post('/api/v1/listeners', given)).id));
  }
  const list = async (query: string): Promise<Body[]> => {
    const found: Body[] = [];
    let next: unknown = '';
    do {
      const cursor = next === '' ? '' : `&cursor=${String(next)}`;
      const page = await get(`/api/v1/listeners?${query}${cursor}`);
      assert.ok((page.listeners as Body[]).length <= 2);
      found.push(...(page.listeners as Body[]));
      next = page.next;
    } while (next !== null);
    return found;
  };
  const idsOf = async (query: string) => (await list(query)).map(({ id }) => id).toSorted();
  await until('visibility has them', async () => {
    return (await idsOf('owner=lister&limit=2')).length === 3;
  });
  assert.deepEqual(await idsOf('owner=lister&source=orders&limit=2'), []);
  await ask('POST', '/api/v1/listeners/la/deactivate');
  await ask('DELETE', '/api/v1/listeners/lb');
  await until('visibility has it', async () => {
    const inactive = await idsOf('owner=lister&status=inactive&limit=2');
    const removed = await idsOf('owner=lister&status=removed&limit=2');
    return inactive.join() === 'la' && removed.join() === 'lb';
  });
  assert.deepEqual(await idsOf('owner=lister&status=active&limit=2'), ['lc']);
});

describe('what was delivered', () => {
  test('is found by its path, every record of it', async () => {
    const { app, post, get } = listening;
    app.mockDeliveryTo('https://walked.example/', { status: 200, body: 'thanks' });
    const given = { name: 'walked', source: 'orders', filter: 'data.body.json.walk == true' };
    await post('/api/v1/listeners', { ...given, url: 'https://walked.example/' });
    await app.post('orders', { walk: true }, 'walk-1');
    await app.waitForPendingDeliveries('walked');
    await walk(await get('/api/v1/listeners/walked'));
    const { deliveries } = await get('/api/v1/listeners/walked/deliveries');
    const [delivery] = deliveries as Body[];
    assert.deepEqual([delivery?.status, delivery?.message], ['successful', '200 OK']);
    assert.deepEqual([delivery?.eventId, delivery?.number], ['walk-1', 1]);
    await walk(delivery);
    const [attempt] = (delivery?.attempts ?? []) as Body[];
    const record = await get(String(attempt?.path));
    assert.equal((record.response as Body).body, 'thanks');
    await walk(record);
  });

  test('is redelivered: one, or all that failed or was skipped, each event once', async () => {
    const { app, post, get, ask } = listening;
    const url = 'https://again.example/';
    const given = { name: 'again', source: 'orders', filter: 'data.body.json.again == true' };
    app.mockDeliveryTo(url, { status: 500 });
    await post('/api/v1/listeners', { ...given, url, retryMs: [] });
    const since = new Date().toISOString();
    for (const id of ['a-1', 'a-2']) await app.post('orders', { again: true }, id);
    await app.waitForPendingDeliveries('again');
    await ask('POST', '/api/v1/listeners/again/deactivate');
    await app.post('orders', { again: true }, 'a-3');
    await app.waitForPendingDeliveries('again');
    const inactive = await ask('POST', '/api/v1/listeners/again/redeliver', { since });
    assert.equal(inactive.status, 409);
    await post('/api/v1/listeners/again/activate');
    const one = await post('/api/v1/listeners/again/deliveries/1/redeliver');
    assert.deepEqual([one.number, one.redeliveryOf], [4, 1]);
    await app.waitForPendingDeliveries('again');

    const received = app.mockDeliveryTo(url, { status: 200 });
    const all = await post('/api/v1/listeners/again/redeliver', { since });
    // The first one failed twice: it goes once.
    assert.deepEqual(all, { deliveries: [5, 6, 7] });
    await app.waitForPendingDeliveries('again');
    const ids = received.requests.map(({ id }) => id);
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(await post('/api/v1/listeners/again/redeliver', { since }), {
      deliveries: [],
    });
    const { deliveries } = await get('/api/v1/listeners/again/deliveries?status=skipped');
    assert.deepEqual(
      (deliveries as Body[]).map(({ number }) => number),
      [3],
    );
    const page = await get('/api/v1/listeners/again/deliveries?limit=5');
    assert.deepEqual(
      (page.deliveries as Body[]).map(({ number }) => number),
      [7, 6, 5, 4, 3],
    );
    const rest = await get(`/api/v1/listeners/again/deliveries?cursor=${String(page.next)}`);
    assert.deepEqual(
      (rest.deliveries as Body[]).map(({ number }) => number),
      [2, 1],
    );
    assert.equal(rest.next, null);
  });
});

describe('npx nextevent', () => {
  test('listener and delivery do what the management API does', async () => {
    const { app } = listening;
    app.mockDeliveryTo('https://cli.example/hooks', { status: 404 });
    const added = await cli(
      ...'listener add https://cli.example/hooks --source orders --name cli --owner ops'.split(' '),
      '--filter=data.body.json.cli == true',
      '--retry-ms=',
      '--header=authorization: Bearer {secret:CRM_TOKEN}',
    );
    assert.equal(added, 'cli is active\n');
    await app.post('orders', { cli: true }, 'cli-1');
    await app.waitForPendingDeliveries('cli');
    const shown = JSON.parse(await cli('listener', 'show', 'cli')) as Body;
    const authorization = { secret: 'CRM_TOKEN', prefix: 'Bearer ' };
    assert.deepEqual(shown.headers, { authorization });
    assert.deepEqual(shown.retryMs, []);
    const changed = ['listener', 'change', 'cli', '--filter', 'data.body.json.cli == 1'];
    assert.equal(await cli(...changed), 'cli is active\n');
    assert.equal(await cli(...changed), 'cli is active, as it was before\n');
    const listed = await until('visibility has it', async () => {
      const table = await cli('listener', 'list', '--owner', 'ops');
      return table.includes('== 1') && table;
    });
    assert.match(listed, /^id +status +sources +filter +to +owner$/m);
    assert.match(listed, /^cli +active +orders +data\.body\.json\.cli == 1 +https\S+ +ops$/m);
    assert.match(
      await cli('delivery', 'list', 'cli'),
      /^1 +failed +404 Not Found +cli-1 +post +1 /m,
    );
    const attempt = JSON.parse(await cli('delivery', 'show', 'cli', '1', 'last')) as Body;
    assert.equal(attempt.message, '404 Not Found');
    assert.doesNotMatch(JSON.stringify(attempt), new RegExp(SECRET));
    assert.equal(await cli('delivery', 'redeliver', 'cli', '1'), 'again as 2\n');
    assert.equal(
      await cli('listener', 'deactivate', 'cli', '--reason', 'enough'),
      'cli is inactive: enough\n',
    );
    assert.equal(await cli('listener', 'activate', 'cli'), 'cli is active\n');
    assert.match(await cli('listener', 'remove', 'cli'), /^cli is removed/);
  });

  const wrong: Array<[args: readonly string[], said: RegExp]> = [
    [
      ['listener', 'add', 'task', 't-1', 'https://a.example/'],
      /^listener add task needs the lifecycle source/,
    ],
    [
      ['listener', 'add', 'execution', 'e-1', 'https://a.example/'],
      /^listener add execution needs the lifecycle/,
    ],
    [['listener', 'show', 'nobody'], /404: there is no listener "nobody"/],
    [['delivery', 'redeliver', 'crm'], /^say what: /],
    [['listener', 'add', 'http://a.example/'], /400: /],
  ];
  for (const [args, said] of wrong) {
    test(`${args.join(' ')} says in one sentence that it can not`, async () => {
      const failed = await cli(...args).then(
        () => assert.fail('it did'),
        (error: unknown) => error as { code: number; stderr: string },
      );
      assert.equal(failed.code, 1);
      assert.match(failed.stderr, said);
      assert.equal(failed.stderr.trimEnd().split('\n').length, 1);
    });
  }
});

test('without `outbound` there are no listeners, and the answer says so', async () => {
  const { createApi } = await import('../ingress/api.ts');
  const { createServer } = await import('../ingress/app.ts');
  const { sources } = listening.app.config;
  const { inspection } = listening.app.ingress;
  const api = createServer(createApi({ sources, inspection, log() {} })).listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => api.once('listening', resolve));
    const { port } = api.address() as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/listeners`);
    assert.equal(response.status, 404);
    assert.match(await response.text(), /the configuration has no `outbound`/);
  } finally {
    api.close();
    api.closeAllConnections();
  }
});

async function walk(record: Body | undefined): Promise<void> {
  assert.deepEqual(await listening.get(String(record?.path)), record);
}

async function cli(...args: string[]): Promise<string> {
  const options = ['--conditions=source', '--import', 'tsx', CLI, ...args];
  const { stdout } = await run(process.execPath, [...options, '--url', listening.url]);
  return stdout;
}

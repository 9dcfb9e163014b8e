// What operators see of a project: in the Temporal UI, by the management API, and by the command.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { Connection, WorkflowHandle } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';

import { createApi } from '../ingress/api.ts';
import { createServer } from '../ingress/app.ts';
import { describeRetention } from '../ingress/retention.ts';
import { sourceWorkflowId } from '../workflows/messages.ts';
import {
  startApp,
  startProcess,
  startServer,
  until,
  untilReceived,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { count, deliver, historyOf, startedBy, untilDispatched, untilKnown } from './observe.ts';
import { receivedBy, startCollecting } from './received.ts';

const CLI = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

const run = promisify(execFile);

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

describe('In the Temporal UI', () => {
  let app: TestApp;
  before(async () => {
    const source = 'seen';
    app = await startApp(server, {
      sources: [source, 'other'],
      triggers: [
        { name: 'on-seen', source, filter: 'data.body.json.start', workflow: 'returnEvent' },
      ],
    });
  });
  after(() => app.stop());

  test('a workflow that waits shows what for, and how much has come of it', async () => {
    const handle = await startCollecting(app, [
      ['seen', "data.body.json.a == 'x|y'"],
      ['other', ''],
    ]);
    await deliver(app, 'other', {}, 'one');
    await untilReceived(handle, 1);
    const details = await detailsOf(handle);
    assert.match(details, /waits for an event/);
    assert.match(details, /\| seen \| `data\.body\.json\.a == 'x\\\|y'` \| 0 \| 0 \|/);
    assert.match(details, /\| other \| _every event_ \| 1 \| 0 \|/);
    await handle.terminate();
  });

  test('its timer says what it is for', async () => {
    const handle = await app.start('waitInVain', 'seen', '2 days');
    const summary = await until('it waits', async () => {
      const { events } = await handle.fetchHistory();
      const timer = events?.find(({ timerStartedEventAttributes }) => timerStartedEventAttributes);
      return timer?.userMetadata?.summary?.data;
    });
    assert.equal(JSON.parse(Buffer.from(summary).toString()), 'nextEvent seen or 2 days');
    await handle.terminate();
  });

  test('a workflow that was triggered says by what, and its sources can be searched for', async () => {
    const posted = await deliver(app, 'seen', { start: true }, 'event 1');
    const started = startedBy(app, 'on-seen', posted);
    const { raw } = await started.describe();
    const summary = raw.executionConfig?.userMetadata?.summary?.data;
    assert.equal(
      JSON.parse(Buffer.from(summary ?? []).toString()),
      'on-seen: post event 1 of seen',
    );
    const handle = await startCollecting(app, [
      ['seen', ''],
      ['other', ''],
    ]);
    await until('it is found', async () => {
      const query = `NextEventSource = 'other' AND WorkflowId = '${handle.workflowId}'`;
      return (await app.client.workflow.count(query)).count === 1;
    });
    await deliver(app, 'seen', {}, 'end');
    await receivedBy(handle);
  });

  test('a source shows who subscribes, and describes what it answers', async () => {
    const handle = await startCollecting(app, [['other', 'data.body.json.n > 1.0']]);
    const source = app.client.workflow.getHandle(sourceWorkflowId('other'));
    const details = await until('it says so', async () => {
      const text = await detailsOf(source);
      return text.includes(handle.workflowId) && text;
    });
    assert.match(details, /\*\*0\*\* events in the backlog/);
    assert.match(details, /`data\.body\.json\.n > 1\.0` \| \d{4}-\d\d-\d\dT[^|]* \| waits \|/);
    for (const seen of [handle, source]) {
      const { definition } = await metadataOf(seen);
      const described = [...definition.queryDefinitions, ...definition.signalDefinitions];
      const own = described.filter(({ name }) => /^(nextevent:|changes)/.test(name ?? ''));
      assert.ok(own.length > 0);
      for (const { description } of own) assert.ok(description);
    }
    await handle.terminate();
  });
});

describe('At the start of an ingress', () => {
  test('a line says how long a repetition starts nothing, and warns if that is short', async () => {
    const { connection } = server.client;
    await connection.workflowService.registerNamespace({
      namespace: 'short',
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    const short = await until('the namespace is known', () =>
      describeRetention(server.client.connection as Connection, 'short'),
    );
    assert.match(short, /^namespace short keeps workflows for 1 days .* \(warning: /);
    const long = await describeRetention(connection as Connection, 'default');
    assert.match(long ?? '', /^namespace default keeps workflows for 30 days [^(]*$/);
  });
});

describe('In a namespace without the search attribute', () => {
  test('one line says so, and everything else works', async (t) => {
    const warn = t.mock.method(console, 'warn', () => {});
    const bare = await startServer({ searchAttributes: {} });
    const app = await startApp(bare, { sources: ['bare'] });
    try {
      const collecting = await startCollecting(app, [['bare', '']]);
      await deliver(app, 'bare', {}, 'one');
      await deliver(app, 'bare', {}, 'end');
      assert.deepEqual(await receivedBy(collecting), ['one']);
      const history = await historyOf(collecting);
      assert.equal(count(history, 'upsert_workflow_search_attributes'), 0);
      const lines = warn.mock.calls.map(({ arguments: [line] }) => String(line));
      assert.equal(lines.filter((line) => line.includes('NextEventSource')).length, 1);
    } finally {
      await app.stop();
      await bare.stop();
    }
  });
});

describe('The management API', () => {
  let app: TestApp;
  let url = '';
  let close: () => void;
  before(async () => {
    app = await startApp(server, { sources: ['watched', 'unused'] });
    const { inspection } = app.ingress;
    const api = createServer(createApi({ sources: app.config.sources, inspection, log() {} }));
    api.listen(0, '127.0.0.1');
    await once(api, 'listening');
    url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    close = () => {
      api.close();
      api.closeAllConnections();
    };
  });
  after(async () => {
    close();
    await app.stop();
  });

  test('lists the sources, and who waits for what', async () => {
    const handle = await startCollecting(app, [
      ['watched', "data.body.json.kind.name != 'a'"],
      ['watched', ''],
    ]);
    await untilKnown(app, 'watched');
    // Its first filter can not be evaluated on this.
    assert.equal((await app.post('watched', { kind: 1 }, 'odd')).queued, false);
    await untilReceived(handle, 1);
    const { sources } = await get('/api/v1/sources');
    const [watched, unused] = sources as Array<Record<string, unknown>>;
    assert.equal(watched?.name, 'watched');
    assert.equal(watched?.path, '/webhooks/watched');
    assert.equal(watched?.status, 'running');
    assert.equal(watched?.subscriptions, 2);
    assert.equal(watched?.segments, 0);
    assert.equal(unused?.status, 'unused');
    const page = await getCounted('/api/v1/subscriptions?source=watched&limit=1');
    const [first] = page.subscriptions as Array<Record<string, unknown>>;
    assert.equal(first?.workflowId, handle.workflowId);
    assert.equal(first?.filter, "data.body.json.kind.name != 'a'");
    assert.ok(Date.now() - Date.parse(String(first?.since)) < 300_000);
    assert.deepEqual([first?.received, first?.unread], [0, 0]);
    assert.deepEqual([first?.suspended, first?.undeliverable], [false, 0]);
    const lastError = first?.lastError as Record<string, unknown> | null | undefined;
    assert.deepEqual([lastError?.eventId, lastError?.count], ['odd', 1]);
    assert.match(String(lastError?.error), /kind|name/);
    const cursor = String(page.next);
    const next = await getCounted(`/api/v1/subscriptions?source=watched&cursor=${cursor}`);
    const [second] = next.subscriptions as Array<Record<string, unknown>>;
    assert.deepEqual([second?.received, second?.lastError, next.next], [1, null, null]);
    const all = await get('/api/v1/subscriptions');
    assert.equal((all.subscriptions as unknown[]).length, 2);
    const of = await get('/api/v1/subscriptions?limit=2');
    const end = await get(`/api/v1/subscriptions?cursor=${String(of.next)}`);
    assert.deepEqual(end, { subscriptions: [], next: null });
    await deliver(app, 'watched', {}, 'end');
    await receivedBy(handle);
    await untilDispatched(app, 'watched');
  });

  test('checks filters, and tries them', async () => {
    const body = JSON.stringify({ filter: 'data.a == 1', event: { type: 't', data: { a: 1 } } });
    const headers = { 'content-type': 'application/json' };
    const asked = { method: 'POST', headers, body };
    const checked = await fetch(`${url}/api/v1/filters/check`, asked);
    assert.deepEqual(await checked.json(), { valid: true, indexed: true, indexedBy: ['data.a'] });
    const tried = await fetch(`${url}/api/v1/filters/test`, asked);
    assert.deepEqual(await tried.json(), { matched: true, reasons: [] });
    assert.equal(await statusOf('/api/v1/filters/test'), 405);
  });

  test('refuses what it does not know, and whoever is not on this machine', async () => {
    assert.equal(await statusOf('/api/v1/subscriptions?source=no-such'), 404);
    assert.equal(await statusOf('/api/v1/subscriptions?limit=0'), 400);
    assert.equal(await statusOf('/api/v1/subscriptions?source=watched&cursor=x'), 404);
    assert.equal(await statusOf('/api/v1/nothing'), 404);
    assert.equal(await statusOf('/webhooks/watched'), 404);
    assert.equal(await statusOf('/api/v1/sources', 'evil.example'), 403);
    assert.equal(await statusOf('/api/v1/sources', 'localhost:9088'), 200);
    const webhooks = await fetch(`${app.ingress.url}/api/v1/sources`);
    assert.equal(webhooks.status, 404);
  });

  /** Of a workflow that takes too long to answer there are no numbers. */
  function getCounted(path: string): Promise<Record<string, unknown>> {
    return until('it tells its numbers', async () => {
      const told = await get(path);
      const all = told.subscriptions as Array<Record<string, unknown>>;
      return all.every(({ received }) => received !== null) && told;
    });
  }

  async function get(path: string): Promise<Record<string, unknown>> {
    const response = await fetch(url + path);
    assert.equal(response.status, 200, path);
    return (await response.json()) as Record<string, unknown>;
  }

  /** By `node:http`: `fetch` sends no other host than that of the address. */
  async function statusOf(path: string, host?: string): Promise<number | undefined> {
    const asking = request(url + path, host === undefined ? {} : { headers: { host } }).end();
    const [response] = (await once(asking, 'response')) as [
      { statusCode?: number; resume(): void },
    ];
    response.resume();
    return response.statusCode;
  }
});

describe('npx nextevent subscriptions', () => {
  test('prints what the ingress process tells on its port for operators', async () => {
    const env = {
      TEMPORAL_ADDRESS: server.address,
      NEXTEVENT_CONFIG: fileURLToPath(new URL('../nextevent.config.ts', import.meta.url)),
    };
    const worker = await startProcess('worker', env);
    const ingress = await startProcess('ingress', env);
    try {
      const posted = await fetch(`${ingress.url}/webhooks/hello`, { method: 'POST', body: '{}' });
      assert.equal(posted.status, 202);
      const url = `http://127.0.0.1:${ingress.managementPort}`;
      const table = await until('the workflow waits', async () => {
        const stdout = await listed('--url', url);
        return stdout?.includes('on-hello/') && stdout;
      });
      assert.match(table, /^source +workflow +filter +since +received +unread +state$/m);
      assert.match(table, /^hello +on-hello\/\S+ .* waits$/m);
      const stdout = await until('the source tells', () => listed('hello', '--json', '--url', url));
      const [line = ''] = stdout.split('\n');
      assert.equal((JSON.parse(line) as { source: string }).source, 'hello');
      const unknown = await subscriptions('no-such', '--url', url).catch((error: unknown) => error);
      assert.match((unknown as { stderr: string }).stderr, /404: there is no source "no-such"/);
    } finally {
      await ingress.kill();
      await worker.kill();
    }
    const away = await subscriptions('--url', 'http://127.0.0.1:9').catch(
      (error: unknown) => error,
    );
    assert.match((away as { stderr: string }).stderr, /^no ingress answers at http/m);
  });
});

/** `undefined` while a source has no time to tell. */
async function listed(...args: string[]): Promise<string | undefined> {
  try {
    return (await subscriptions(...args)).stdout;
  } catch (error) {
    if (/answers 503/.test((error as { stderr: string }).stderr)) return undefined;
    throw error;
  }
}

function subscriptions(...args: string[]) {
  const options = ['--conditions=source', '--import', 'tsx', CLI, 'subscriptions', ...args];
  return run(process.execPath, options);
}

interface Metadata {
  readonly currentDetails: string;
  readonly definition: {
    readonly queryDefinitions: ReadonlyArray<{ name?: string; description?: string }>;
    readonly signalDefinitions: ReadonlyArray<{ name?: string; description?: string }>;
  };
}

function metadataOf(handle: WorkflowHandle): Promise<Metadata> {
  return handle.query<Metadata>('__temporal_workflow_metadata');
}

/** What the UI shows of a workflow as its current details. */
async function detailsOf(handle: WorkflowHandle): Promise<string> {
  const metadata = await until(`${handle.workflowId} answers`, () =>
    metadataOf(handle).catch(() => undefined),
  );
  return metadata.currentDetails;
}

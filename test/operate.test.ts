// What operators see of a project that runs: metrics, what was refused, and logs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePort } from '../dev/ports.ts';
import { createDispatcher } from '../dispatch/dispatcher.ts';
import { createApi } from '../ingress/api.ts';
import { createApp, createServer } from '../ingress/app.ts';
import { Rejections, toReason } from '../ingress/rejections.ts';
import { Telemetry } from '../ingress/telemetry.ts';
import { deliver as send, type Answer } from '../testing/ingress.ts';
import {
  startApp,
  startProcess,
  startServer,
  until,
  untilSubscribed,
  type TestApp,
  type TestProcess,
  type TestServer,
} from './harness.ts';
import { leaveAlone, untilKnown } from './observe.ts';

const CLI = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const CONFIG = fileURLToPath(new URL('kill.config.ts', import.meta.url));
const SECRET = 'do-not-tell';

const run = promisify(execFile);

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

/** The samples of an exposition in the text format of Prometheus, by name and labels. */
function parse(exposition: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of exposition.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, sample, value] =
      /^([a-z_:][\w:]*(?:\{(?:[a-z_]\w*="[^"\\]*",?)*\})?) (\S+)$/i.exec(line) ?? [];
    assert.ok(sample !== undefined, `${line} is of the format`);
    assert.ok(!samples.has(sample), `${sample} is there once`);
    samples.set(sample, Number(value));
  }
  return samples;
}

/** The metrics of this project that a file of it names. */
async function namedIn(file: string): Promise<Set<string>> {
  const text = await readFile(new URL(`../${file}`, import.meta.url), 'utf8');
  return new Set(text.match(/\bnextevent_\w+?(?=_bucket|\b)/g));
}

async function metricsAt(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return parse(await response.text());
}

describe('Of an ingress', { timeout: 900_000 }, () => {
  const sources = ['shop', 'waiting'];
  const servers: Server[] = [];
  let app: TestApp;
  let dispatcher: Awaited<ReturnType<typeof createDispatcher>>;
  let url: string;
  let management: string;

  const listen = async (listening: Server): Promise<string> => {
    servers.push(listening.listen(0, '127.0.0.1'));
    await once(listening, 'listening');
    return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  };

  before(async () => {
    app = await startApp(server, {
      sources,
      triggers: [
        {
          name: 'on-start',
          source: 'shop',
          filter: 'data.body.json.start',
          workflow: 'returnEvent',
        },
      ],
    });
    const telemetry = new Telemetry(sources);
    const { connectionOptions, namespace } = server;
    const { triggers } = app.config;
    dispatcher = await createDispatcher({
      connectionOptions,
      namespace,
      sources,
      triggers,
      observer: telemetry,
    });
    const { inspection } = dispatcher;
    telemetry.watch(inspection);
    const common = { sources: app.config.sources, log: () => {} };
    url = await listen(
      createServer(
        createApp({ ...common, dispatcher, ready: async () => [], observer: telemetry }),
      ),
    );
    management = await listen(createServer(createApi({ ...common, inspection, telemetry })));
  });
  after(async () => {
    for (const listening of servers) {
      listening.close();
      listening.closeAllConnections();
    }
    await dispatcher.close();
    await app.stop();
  });

  const rejections = async (query: string): Promise<Array<Record<string, unknown>>> => {
    const response = await fetch(`${management}/api/v1/rejections${query}`);
    const answer = (await response.json()) as { rejections: Array<Record<string, unknown>> };
    return answer.rejections;
  };

  test('metrics count what happens to events', async () => {
    const filters = ["data.body.json.a == 'x'", 'data.body.json.a > 5'];
    const subscriptions = filters.map((filter) => ['shop', filter] as const);
    const handle = await app.start('listen', { subscriptions, count: 2 });
    await untilSubscribed(handle, 2);
    // An event that goes by way of the backlog is matched elsewhere.
    await untilKnown(app, 'shop', () =>
      dispatcher.inspection.subscriptions('shop', { after: 0, limit: 0 }),
    );
    const atFirst = await metricsAt(management);
    assert.equal(atFirst.get('nextevent_events_accepted_total{source="shop",path="fast"}'), 0);

    const posted: Answer[] = [];
    for (const [id, body] of [
      ['one', { a: 'x' }],
      ['two', { a: 'x' }],
      ['three', { start: true }],
      ['one', { a: 'x' }],
    ] as const) {
      const headers = { 'idempotency-key': id };
      posted.push(await send(url, { source: 'shop', body, headers }));
    }
    await handle.result();

    const found = await until('nothing is in the backlog', async () => {
      const metrics = await metricsAt(management);
      return metrics.get('nextevent_backlog_events{source="shop"}') === 0 && metrics;
    });
    const of = (name: string, labels: string): number =>
      found.get(`nextevent_${name}{source="shop"${labels}}`) ?? Number.NaN;
    const slow = posted.filter(({ queued }) => queued).length;
    assert.equal(of('events_accepted_total', ',path="slow"'), slow);
    assert.equal(of('events_accepted_total', ',path="fast"'), posted.length - slow);
    assert.equal(of('events_duplicate_total', ''), 1);
    assert.equal(of('workflows_dispatched_total', ',by="start"'), 1);
    const signalled = posted.reduce((sum, { signalled: count }) => sum + count, 0);
    assert.equal(of('workflows_dispatched_total', ',by="signal"'), signalled);
    assert.equal(of('acknowledgement_seconds_count', ''), posted.length);
    assert.ok(of('acknowledgement_seconds_sum', '') > 0);
    assert.ok(of('match_seconds_count', '') >= posted.length);
    assert.ok(of('filters_matched_total', '') >= 1, 'the trigger at least');
    assert.ok(of('filter_errors_total', '') >= 1, 'text is not greater than 5');
    assert.equal(of('source_has_room', ''), 1);
    assert.ok((found.get('process_cpu_seconds_total') ?? 0) > 0);
  });

  test('metrics are those that the documentation and the alert rules name', async () => {
    const exposition = await (await fetch(`${management}/metrics`)).text();
    const typed = [...exposition.matchAll(/^# TYPE (nextevent_\w+)/gm)].map(([, name]) => name);
    assert.deepEqual([...(await namedIn('docs/operating.md'))].sort(), typed.sort());
    for (const name of await namedIn('deploy/alerts.yaml')) assert.ok(typed.includes(name), name);
  });

  test('metrics show a backlog that nobody dispatches, and for how long', async () => {
    const handle = await app.start('listen', { subscriptions: [['waiting', '']], count: 1 });
    await untilSubscribed(handle, 1);
    await leaveAlone(app, 'waiting');
    const { queued } = await send(url, { source: 'waiting', body: {} });
    assert.equal(queued, true);
    const age = 'nextevent_backlog_oldest_age_seconds{source="waiting"}';
    await until('the backlog is a second old', async () => {
      return ((await metricsAt(management)).get(age) ?? 0) > 1;
    });
    const slow = 'nextevent_events_accepted_total{source="waiting",path="slow"}';
    assert.equal((await metricsAt(management)).get(slow), 1);
    await app.startWorker();
    await handle.result();
    await until('the backlog is no more', async () => {
      return (await metricsAt(management)).get(age) === 0;
    });
  });

  test('what it refuses is counted and listed, and nothing of what was in it', async () => {
    const refuse = async (
      path: string,
      init: { readonly body: string; readonly headers?: Record<string, string> },
    ): Promise<void> => {
      const headers = { authorization: `Bearer ${SECRET}`, 'x-request-id': 'r-1' };
      const response = await fetch(`${url}${path}?token=${SECRET}`, {
        method: 'POST',
        ...init,
        headers: { ...headers, ...init.headers },
      });
      assert.ok(response.status >= 400, `${path} is refused`);
    };
    await refuse('/webhooks/nobody', { body: SECRET });
    await refuse('/webhooks/shop', { body: SECRET.repeat(100_000) });
    await refuse('/webhooks/shop/%zz', { body: SECRET });
    const encoded = { 'content-encoding': 'gzip' };
    await refuse('/webhooks/shop', { body: SECRET, headers: encoded });

    const all = await rejections('');
    assert.deepEqual(
      all.map(({ source, reason, status, requestId }) => [source, reason, status, requestId]),
      [
        ['shop', 'PARSE', 400, 'r-1'],
        ['shop', 'PARSE', 400, 'r-1'],
        ['shop', 'BODY_TOO_LARGE', 413, 'r-1'],
        [null, 'NOT_FOUND', 404, 'r-1'],
      ],
    );
    assert.ok(all.every(({ remoteAddress }) => remoteAddress === '127.0.0.1'));
    assert.equal((await rejections('?source=shop')).length, 3);
    assert.equal((await rejections('?source=shop&limit=1')).length, 1);
    assert.deepEqual(await rejections('?source=nobody'), []);
    assert.doesNotMatch(JSON.stringify(all), /do-not-tell/);

    const found = await metricsAt(management);
    const refused = (source: string, reason: string) =>
      found.get(`nextevent_requests_rejected_total{source="${source}",reason="${reason}"}`);
    assert.deepEqual(
      [refused('shop', 'PARSE'), refused('shop', 'BODY_TOO_LARGE'), refused('', 'NOT_FOUND')],
      [2, 1, 1],
    );
    assert.doesNotMatch([...found.keys()].join(), /nobody/, 'labels are not what senders say');
    assert.equal((await fetch(`${url}/metrics`)).status, 404, 'it is not public');
  });

  test('the command lists what was refused', async () => {
    const args = ['--conditions=source', '--import', 'tsx', CLI, 'rejections'];
    const { stdout } = await run(process.execPath, [...args, '--url', management, 'shop']);
    assert.match(stdout, /^at +source +reason +status +from +request\n/);
    assert.match(stdout, /Z +shop +BODY_TOO_LARGE +413 +127\.0\.0\.1 +r-1\n/);
  });
});

function errorFor(reason: string): Error {
  return Object.assign(new Error('no'), { reason });
}

describe('The last rejections', () => {
  test('are bounded', () => {
    const rejections = new Rejections();
    const rest = { reason: 'PARSE', status: 400, remoteAddress: null, requestId: 'r' } as const;
    for (let at = 0; at < 3_000; at += 1) rejections.add({ ...rest, at: `${at}`, source: 'a' });
    const listed = rejections.list({ limit: 5_000 });
    assert.deepEqual([listed.length, listed[0]?.at, listed.at(-1)?.at], [1_000, '2999', '2000']);
  });

  test('have the reason that the error gives, or that the status says', () => {
    assert.equal(toReason(errorFor('SIGNATURE'), 401), 'SIGNATURE');
    assert.equal(toReason(errorFor('whatever'), 401), 'CREDENTIALS');
    assert.equal(toReason(new Error('no'), 429), 'RATE_LIMIT');
    assert.equal(toReason('no', 500), 'INTERNAL');
    assert.equal(toReason('no', 503), 'UNAVAILABLE');
  });
});

describe('Processes as they are deployed', { timeout: 900_000 }, () => {
  const addresses: string[] = [];
  let worker: TestProcess;
  let ingress: TestProcess;

  before(async () => {
    addresses.push(await freeAddress(), await freeAddress());
    const [WORKER_METRICS_ADDRESS = '', INGRESS_METRICS_ADDRESS = ''] = addresses;
    const env = {
      NEXTEVENT_CONFIG: CONFIG,
      TEMPORAL_ADDRESS: server.connectionOptions.address ?? '',
      TEMPORAL_NAMESPACE: server.namespace,
      MANAGEMENT_PORT: '0',
      LOG_LEVEL: 'debug',
    };
    worker = await startProcess('worker', { ...env, WORKER_METRICS_ADDRESS });
    ingress = await startProcess('ingress', {
      ...env,
      INGRESS_METRICS_ADDRESS,
      TRUST_PROXY: '1',
    });
  });
  after(async () => {
    await ingress?.kill();
    await worker?.kill();
  });

  test('log JSON, and no secrets', async () => {
    const headers = {
      authorization: SECRET,
      cookie: SECRET,
      'x-hub-signature-256': SECRET,
      'x-request-id': 'r-2',
      'x-forwarded-for': '203.0.113.9',
    };
    let posted = 0;
    // On a busy machine an event goes by way of the backlog, or is to come again.
    await until('an event is not queued', async () => {
      posted += 1;
      const accepted = await fetch(`${ingress.url}/webhooks/worker?token=${SECRET}`, {
        method: 'POST',
        headers: { ...headers, 'idempotency-key': `e-${posted}` },
        body: SECRET,
      });
      const { queued } = (await accepted.json()) as Partial<Answer>;
      return accepted.status === 202 && queued !== true;
    });
    const refused = await fetch(`${ingress.url}/webhooks/nobody?token=${SECRET}`, { headers });
    assert.equal(refused.status, 404);
    const { event, refusal } = await until('both are logged', () => {
      const entries = entriesOf(ingress);
      const [one] = entries.filter(({ eventId }) => eventId === `e-${posted}`);
      const [other] = entries.filter(({ status }) => status === 404);
      return one && other && { event: one, refusal: other };
    });
    assert.equal(event.msg, 'worker post -> nobody waits');
    assert.deepEqual(
      [event.level, event.source, event.requestId, event.queued],
      ['info', 'worker', 'r-2', false],
    );
    assert.equal(refusal.remoteAddress, '203.0.113.9', 'the proxy is trusted');
    assert.equal((refusal.headers as Record<string, unknown>).cookie, '[redacted]');
    assert.equal((refusal.headers as Record<string, unknown>)['x-request-id'], 'r-2');
    for (const process of [ingress, worker]) assert.doesNotMatch(process.output(), /do-not-tell/);
    assert.ok(entriesOf(worker).some(({ msg }) => msg === 'worker polling task queue kill'));
  });

  test('tell Prometheus what they measure, each at its address', async () => {
    await until('an event is not queued', async () => {
      const answer = await send(ingress.url, { source: 'ingress', body: {} }).catch(
        () => undefined,
      );
      return answer?.queued === false;
    });
    const [ofWorker = '', ofIngress = ''] = addresses.map((address) => `http://${address}`);
    const completed = await until('the workflow is counted', async () => {
      const found = parse(await (await fetch(`${ofWorker}/metrics`)).text());
      return [...found].find(([name]) => name.startsWith('temporal_workflow_completed_total'));
    });
    assert.match(completed[0], /workflow_type="returnEvent"/);
    const found = await metricsAt(ofIngress);
    // Those that were queued before have started one, too.
    const started = found.get('nextevent_workflows_dispatched_total{source="ingress",by="start"}');
    assert.ok(started !== undefined && started >= 1, `${started}`);
    assert.equal((await fetch(`${ofIngress}/api/v1/sources`)).status, 404, 'metrics and no more');
  });
});

/** What a process has logged, each line of which is JSON. */
function entriesOf(process: TestProcess): Array<Record<string, unknown>> {
  const lines = process.output().split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as never);
}

/** An address of this machine at which nobody listens. */
async function freeAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

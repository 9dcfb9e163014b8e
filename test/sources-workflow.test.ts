// Every provider's sample, as it is signed and posted, until a workflow has it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { WorkflowNotFoundError } from '@temporalio/client';

import { startTestApp, type TestApp } from '../testing/index.ts';
import { fetchAgain, startServer, until, untilSubscribed, type TestServer } from './harness.ts';
import { heldBy } from './observe.ts';
import { KINDS, signedBody, signedSample, type Kind } from './sources.ts';
import type { Provided } from './workflows/providing.ts';

describe('every provider', { timeout: 900_000 }, () => {
  let server: TestServer;
  let app: TestApp;
  const projects = KINDS.map((kind, index) => {
    const keys = kind.keys();
    return { kind, name: nameOf(kind, index), source: kind.create([keys.secret]), keys };
  });

  before(async () => {
    server = await startServer();
    app = await startTestApp(server, {
      workflowsPath: fileURLToPath(new URL('workflows/providing.ts', import.meta.url)),
      sources: Object.fromEntries(projects.map(({ name, source }) => [name, source])),
      triggers: projects.map(({ name, kind }) => ({
        name: `on-${name}`,
        source: name,
        filter: `event_type == '${kind.type}'`,
        workflow: 'returnProvided',
      })),
    });
  });
  after(async () => {
    await app?.stop();
    await server?.stop();
  });

  test('wakes and starts workflows with the right type, and its own body as data', async () => {
    const workflow = await app.start(
      'receiveFromEach',
      projects.map(({ name, kind }) => [name, `event_type == '${kind.type}' && data != null`]),
    );
    await untilSubscribed(workflow, projects.length);
    const expected: Provided[] = [];
    for (const { kind, name, source, keys } of projects) {
      const { privateKey } = keys;
      const draft = signedSample(kind, source, privateKey === undefined ? {} : { privateKey });
      const answer = await fetchAgain(`${app.ingress.url}/webhooks/${name}${draft.suffix}`, draft);
      assert.equal(answer.ok, true, `${name}: ${answer.status} ${await answer.text()}`);
      expected.push({ source: name, type: kind.type, data: dataOf(kind, draft.body) });
      const id = decodeURIComponent(answer.headers.get('nextevent-id') ?? '');
      assert.notEqual(id, '');
      const started = app.client.workflow.getHandle(`on-${name}/${id}`);
      await until(`${name} starts a workflow`, () => started.describe().catch(() => undefined));
      assert.deepEqual(await started.result(), expected.at(-1));
    }
    assert.deepEqual(await workflow.result(), expected);
  });

  test('sends the same event again without an effect', async () => {
    const { kind, name, source } = projects[0]!;
    const draft = signedSample(kind, source);
    const post = async (): Promise<[number, string]> => {
      const answer = await fetchAgain(`${app.ingress.url}/webhooks/${name}`, draft);
      return [answer.status, decodeURIComponent(answer.headers.get('nextevent-id') ?? '')];
    };
    const first = await post();
    assert.equal(first[0], 202);
    const started = app.client.workflow.getHandle(`on-${name}/${first[1]}`);
    const runOf = async (): Promise<string> => {
      const isDispatched = async () => (await heldBy(app.client, name)).backlog === 0;
      // A source to which nobody has subscribed, and in which nothing waits, need not be there.
      await until(`the backlog of ${name} is empty`, () =>
        isDispatched().catch((error: unknown) => error instanceof WorkflowNotFoundError),
      );
      await started.result();
      return (await started.describe()).runId;
    };
    const run = await runOf();
    assert.deepEqual(await post(), first);
    assert.equal(await runOf(), run);
  });

  test('starts a workflow for each event of a body, and none again for the same body', async () => {
    const sendgrid = projects.find(({ kind }) => kind.name === 'sendgrid')!;
    const { source, keys, name } = sendgrid;
    const body = ['a', 'b', 'c'].map((id) => ({ event: 'delivered', sg_event_id: `batch-${id}` }));
    const privateKey = keys.privateKey ?? '';
    const post = async (): Promise<unknown> => {
      const draft = signedBody(source, { body }, { privateKey });
      const answer = await fetchAgain(`${app.ingress.url}/webhooks/${name}`, draft);
      return answer.json();
    };
    const first = (await post()) as { events: Array<{ id: string; started: string[] }> };
    assert.deepEqual(
      first.events.map(({ id }) => id),
      ['batch-a', 'batch-b', 'batch-c'],
    );
    const runs = async (): Promise<string[]> =>
      Promise.all(
        first.events.map(async ({ id }) => {
          const handle = app.client.workflow.getHandle(`on-${name}/${id}`);
          await handle.result();
          return (await handle.describe()).runId;
        }),
      );
    const started = await runs();
    await post();
    assert.deepEqual(await runs(), started);
    assert.equal(new Set(started).size, 3);
  });

  test('is listed as off by an ingress that lacks its secret', async () => {
    const config = fileURLToPath(new URL('all-sources.config.ts', import.meta.url));
    const main = fileURLToPath(new URL('../ingress/main.ts', import.meta.url));
    const { address: TEMPORAL_ADDRESS } = server;
    const ingress = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', main], {
      env: {
        ...process.env,
        TEMPORAL_ADDRESS,
        NEXTEVENT_CONFIG: config,
        PORT: '0',
        LOG_FORMAT: 'text',
        STRIPE_WEBHOOK_SECRET: 'whsec_set',
      },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    let printed = '';
    ingress.stdout?.setEncoding('utf8').on('data', (part: string) => (printed += part));
    try {
      const [{ managementPort }] = (await once(ingress, 'message')) as [{ managementPort: number }];
      await until('the sources are listed', () => printed.includes('graph is off'));
      assert.match(printed, /^github is off: GITHUB_WEBHOOK_SECRET is not set$/m);
      assert.doesNotMatch(printed, /stripe is off/);
      const answer = await fetch(`http://127.0.0.1:${managementPort}/api/v1/sources`);
      const listed = (await answer.json()) as { sources: Array<{ kind: string; off?: string[] }> };
      const offOf = (kind: string) => listed.sources.find((one) => one.kind === kind)?.off;
      assert.deepEqual(offOf('github'), ['GITHUB_WEBHOOK_SECRET']);
      assert.equal(offOf('stripe'), undefined);
    } finally {
      ingress.kill('SIGKILL');
    }
  });

  test('of a project that is tested is signed by it', async () => {
    const stripe = projects.find(({ kind }) => kind.name === 'stripe');
    const body = { id: 'evt_tested', type: 'payment_intent.succeeded' };
    const { id, started, queued } = await app.send(stripe?.name ?? '', body);
    assert.equal(id, 'evt_tested');
    const workflowId = `on-${stripe?.name}/evt_tested`;
    // On a machine that has much to do, an event may go by way of the backlog.
    if (!queued) assert.deepEqual(started, [workflowId]);
    assert.equal(
      (await app.client.workflow.getHandle(workflowId).describe()).workflowId,
      workflowId,
    );
  });
});

/** The name of a source: the kind's, as it can be in an address. Twilio signs its. */
function nameOf({ name }: Kind, index: number): string {
  const plain = name.replaceAll(/[^a-z]/gi, '').toLowerCase();
  return name === 'twilio' ? plain : `${plain}-${index}`;
}

/** The part of the sample's body that is the data of its event. */
function dataOf({ name }: Kind, body: string): unknown {
  if (name === 'twilio') return Object.fromEntries(new URLSearchParams(body));
  const data = JSON.parse(body) as Record<string, unknown> & { value?: object[] } & object[];
  if (name === 'sendgrid') return data[0];
  const { clientState: _, token, ...rest } = (data.value?.[0] ?? data) as Record<string, unknown>;
  return name === 'discord' ? { ...rest, token } : rest;
}

// Runs the examples as their readers would: with the configuration of the clone, and the
// curl lines that stand in the examples and in the README, sent as HTTP.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';

import { loadConfig } from '../config/load.ts';
import {
  startApp,
  startServer,
  until,
  type Posted,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { untilDispatched } from './observe.ts';

/** Longer than a busy machine takes for a few reports. */
const SILENCE_MS = 20_000;

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The address that the curl lines are written for. */
const PRINTED_URL = 'http://127.0.0.1:8088';

describe('the examples', () => {
  let server: TestServer;
  let app: TestApp;
  const notices: string[] = [];

  before(async () => {
    const config = await loadConfig(join(ROOT, 'nextevent.config.ts'));
    server = await startServer();
    app = await startApp(server, {
      workflowsPath: config.workflowsPath,
      sources: [...config.sources.keys()],
      triggers: config.triggers,
      activities: { notify: async (text: string) => notices.push(text) },
    });
  });
  after(async () => {
    await app?.stop();
    await server?.stop();
  });

  test('hello is started by a POST and woken by the next, which starts another', async () => {
    const [first, second] = await curlsOf('examples/00-hello.ts');
    const hello = await start(first);
    await untilSubscribed(hello, 1);
    const posted = await send(second);
    assertSignalled(posted, 1);
    if (!posted.queued) assert.equal(posted.started.length, 1);
    assert.equal(await hello.result(), '{"hello":"world"}, then {"hello":"again"}');
  });

  test('an approval ends with the decision about its order', async () => {
    const [order, decision] = await curlsOf('examples/01-approval.ts');
    const approval = await start(order);
    await untilSubscribed(approval, 1);
    const ofAnother = JSON.stringify({ order: 'B-1', approved: false });
    assertSignalled(await send({ ...decision, body: ofAnother }), 0);
    assertSignalled(await send(decision), 1);
    assert.equal(await approval.result(), 'order A-17: approved');
  });

  test('an approval ends without a decision when its time is up', async () => {
    const [order] = await curlsOf('examples/01-approval.ts');
    const approval = await start({ ...order, body: '{"id":"A-18","decideWithinMs":50}' });
    assert.equal(await approval.result(), 'order A-18: nobody decided in time');
  });

  test('an order that is not JSON, or has no id, starts no approval', async () => {
    const [order] = await curlsOf('examples/01-approval.ts');
    for (const body of ['id=A-19', '{"order":"A-19"}', '']) {
      // What went by way of the backlog is not told what it has started.
      const posted = await until('it goes the fast way', async () => {
        const sent = await send({ ...order, body });
        return !sent.queued && sent;
      });
      assert.deepEqual(posted.started, []);
    }
  });

  test('meow waits for a GET to /meow, then for a GET or POST to anywhere', async () => {
    const [request, meow, answer] = await curlsOf('examples/02-meow.ts');
    const cat = await start(request);
    await untilSubscribed(cat, 1);
    assertSignalled(await send({ ...meow, method: 'POST' }), 0);
    assertSignalled(await send(answer), 0);
    assertSignalled(await send(meow), 1);
    await untilSubscribed(cat, 2);
    assertSignalled(await send({ ...answer, method: 'PUT' }), 0);
    assertSignalled(await send(answer), 1);
    assert.equal(
      await cat.result(),
      '/webhooks/cats/tom/meow, answered by GET /webhooks/cats/tom/purr',
    );
  });

  test('meow ends without an answer when its time is up', async () => {
    const [, meow] = await curlsOf('examples/02-meow.ts');
    const first = { id: 'by-hand', source: 'cats', type: 'post', time: '', data: {} };
    const cat = await app.start('meow', first, '50 ms');
    await untilSubscribed(cat, 1);
    await send(meow);
    assert.equal(await cat.result(), '/webhooks/cats/tom/meow, and no answer');
  });

  test('a fulfilment hears three sources in the order of their reports', async () => {
    const [order, payment, delivery] = await curlsOf('examples/03-three-sources.ts');
    const fulfilment = await start(order);
    await untilSubscribed(fulfilment, 3);
    const packed = { ...payment, path: '/webhooks/warehouse', body: report('packed') };
    const onItsWay = { ...delivery, body: report('on its way') };
    for (const request of [payment, packed, onItsWay]) {
      assertSignalled(await send(request), 1);
    }
    const soFar = ['payments: paid', 'warehouse: packed', 'carrier: on its way'];
    await until('three reports were read', async () => {
      return (await fulfilment.query<string[]>('progress')).length === 3;
    });
    assert.deepEqual(await fulfilment.query('progress'), soFar);
    await send(delivery);
    assert.deepEqual(await fulfilment.result(), [...soFar, 'carrier: delivered']);
  });

  test('a reminder ends with the answer to its question', async () => {
    const [question, answer] = await curlsOf('examples/04-reminder.ts');
    const reminder = await start(question);
    await untilSubscribed(reminder, 1);
    assertSignalled(await send({ ...answer, body: '{"question":"Q-0","text":"no"}' }), 0);
    assertSignalled(await send(answer), 1);
    assert.equal(await reminder.result(), 'Q-1: yes, after 0 reminders');
  });

  test('a reminder reminds until there is an answer', async () => {
    const [question, answer] = await curlsOf('examples/04-reminder.ts');
    const body = { id: 'Q-2', text: 'Well?', remindEveryMs: 1, remindersMax: 1_000_000 };
    const reminder = await start({ ...question, body: JSON.stringify(body) });
    await until('it has reminded twice', () => noticesOf('Well?').length >= 2);
    await send({ ...answer, body: '{"question":"Q-2","text":"well"}' });
    assert.match(await reminder.result(), /^Q-2: well, after [0-9]+ reminders$/);
    assert.equal(noticesOf('Well?')[0], 'Well? (reminder 1 of 1000000)');
  });

  test('a reminder gives up after so many reminders', async () => {
    const [question] = await curlsOf('examples/04-reminder.ts');
    const body = { id: 'Q-3', text: 'And?', remindEveryMs: 1, remindersMax: 2 };
    const reminder = await start({ ...question, body: JSON.stringify(body) });
    assert.equal(await reminder.result(), 'Q-3: no answer after 2 reminders');
    assert.deepEqual(noticesOf('And?'), ['And? (reminder 1 of 2)', 'And? (reminder 2 of 2)']);
  });

  test('silence raises an alarm about a device that never reports', async () => {
    const [watch] = await curlsOf('examples/05-silence.ts');
    const silence = await start({ ...watch, body: '{"device":"pump-2","silenceMs":1}' });
    const since = (await silence.result()) as string;
    assert.deepEqual(noticesOf('pump-2'), [`pump-2 has been silent since ${since}`]);
  });

  test('silence begins its time anew with every report, run after run', async () => {
    const [watch, heard] = await curlsOf('examples/05-silence.ts');
    const body = { device: 'pump-1', silenceMs: SILENCE_MS, reportsPerRun: 2 };
    const silence = await start({ ...watch, body: JSON.stringify(body) });
    await untilSubscribed(silence, 1);
    const { runId } = await silence.describe();
    for (let count = 0; count < 5; count += 1) assertSignalled(await send(heard), 1);
    const posted = Date.now();
    const since = Date.parse((await silence.result()) as string);
    // The clocks that are compared are one: everything here runs on one machine.
    assert.ok(since <= posted && Date.now() - since >= SILENCE_MS);
    assert.notEqual((await silence.describe()).runId, runId);
    assert.equal(noticesOf('pump-1').length, 1);
  });

  test('an account is started by the first deposit of its customer and fed the others', async () => {
    const deposits = await curlsOf('examples/06-account.ts');
    for (const deposit of deposits.slice(0, 2)) {
      const { started, queued } = await send(deposit);
      if (!queued) assert.deepEqual(started, ['on-deposit/C-1']);
    }
    const account = app.client.workflow.getHandle('on-deposit/C-1');
    await untilBalance(account, 750);
    await account.terminate();
  });

  test('an account continues as new with what it has, and counts no deposit twice', async () => {
    const data = { body: { json: { customer: 'C-2', cents: 1 } } };
    const first = { id: 'by-hand', source: 'deposits', type: 'post', time: '', data };
    const account = await app.client.workflow.start('account', {
      workflowId: 'on-deposit/C-2',
      taskQueue: app.taskQueue,
      args: [first, 0, 2],
    });
    const { runId } = await account.describe();
    for (const cents of [10, 100, 1_000, 10_000, 100_000]) {
      for (const id of [`deposit ${cents}`, 'deposit 10']) {
        await app.post('deposits', { customer: 'C-2', cents }, id);
      }
    }
    await untilBalance(account, 111_111);
    assert.notEqual((await account.describe()).runId, runId);
    await account.terminate();
  });

  test('the first source takes the POST that npm start prints, and starts a workflow', async () => {
    const [first] = app.config.sources.keys();
    assert.match(first!, /^[a-z-]+$/);
    await start({ method: 'POST', path: `/webhooks/${first}`, body: '{"hello":"world"}' });
  });

  test('the curl lines of the README start an approval and end it', async () => {
    const [hello, order, decision] = await curlsOf('README.md');
    await start(hello);
    const approval = await start(order);
    await untilSubscribed(approval, 1);
    assertSignalled(await send(decision), 1);
    assert.match((await approval.result()) as string, /approved$/);
  });

  test('the code in the README is the approval that runs', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const example = await readFile(join(ROOT, 'examples/01-approval.ts'), 'utf8');
    const shown = /```ts\n([^]*?)```/.exec(readme)?.[1];
    assert.equal(shown, example.slice(example.indexOf('import ')));
  });

  function noticesOf(text: string): string[] {
    return notices.filter((notice) => notice.startsWith(text));
  }

  /** Sends a request that starts one workflow, by the only trigger of its source. */
  async function start(request: Curl): Promise<WorkflowHandle> {
    const { id, started, queued } = await send(request);
    const source = request.path.split('/')[2];
    const trigger = app.config.triggers.find((candidate) => candidate.source === source);
    const workflowId = `${trigger?.name}/${id}`;
    if (!queued) assert.deepEqual(started, [workflowId]);
    return app.client.workflow.getHandle(workflowId);
  }

  async function send({ method, path, body }: Curl): Promise<Posted> {
    const response = await fetch(`${app.ingress.url}${path}`, {
      method,
      ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
    });
    assert.equal(response.status, 202);
    const answer = (await response.json()) as Pick<Posted, 'id'> & Partial<Posted>;
    // The next one may be for another source, which does not wait for this one's backlog.
    if (answer.queued) await untilDispatched(app, path.split('/')[2] ?? '');
    return { status: 202, started: [], signalled: 0, queued: false, ...answer };
  }
});

/** On a machine that has much to do, an event may go by way of the backlog. */
function assertSignalled(posted: Posted, count: number): void {
  if (!posted.queued) assert.equal(posted.signalled, count);
}

interface Curl {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

/** The requests of a file's curl lines. A line may go on after a backslash. */
async function curlsOf(file: string): Promise<[Curl, Curl, Curl]> {
  const text = await readFile(join(ROOT, file), 'utf8');
  const joined = text.replaceAll(/ \\\n(\/\/)? */g, ' ');
  const lines = joined.split('\n').flatMap((line) => /^[/ ]*(curl .*)$/.exec(line)?.[1] ?? []);
  return lines.map(toCurl) as [Curl, Curl, Curl];
}

function toCurl(line: string): Curl {
  const words: readonly string[] = line.match(/'[^']*'|\S+/g) ?? [];
  const valueOf = (flag: string): string | undefined => {
    const at = words.indexOf(flag);
    return at === -1 ? undefined : words[at + 1]?.replaceAll(/^'|'$/g, '');
  };
  const url = words.find((word) => word.startsWith(PRINTED_URL));
  assert.ok(url, `${line} is not for ${PRINTED_URL}`);
  const body = valueOf('-d');
  return {
    method: valueOf('-X') ?? 'GET',
    path: url.slice(PRINTED_URL.length),
    ...(body !== undefined && { body }),
  };
}

function report(status: string): string {
  return JSON.stringify({ order: 'A-17', status });
}

async function untilBalance(account: WorkflowHandle, cents: number): Promise<void> {
  await until(`${account.workflowId} has ${cents} cents`, async () => {
    return (await account.query<number>('balance').catch(() => undefined)) === cents;
  });
}

/** Waits until a workflow's subscriptions are in its history: each is one marker. */
async function untilSubscribed(handle: WorkflowHandle, count: number): Promise<void> {
  await until(`${handle.workflowId} holds ${count} subscriptions`, async () => {
    const { events } = await handle.fetchHistory();
    const markers = events?.filter((event) => event.markerRecordedEventAttributes) ?? [];
    return markers.length >= count;
  });
}

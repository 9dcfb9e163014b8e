// A trigger with `respond`: the sender of an event waits for what the workflow answers.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { goOn, historyOf } from './observe.ts';
import { resultOf } from './received.ts';

const WORKFLOWS = [
  'respondAtOnce',
  'respondLater',
  'respondInNextRun',
  'neverRespond',
  'failToRespond',
  'respondWrongly',
  'respondToEach',
  'respondAndReturn',
] as const;
/** Of each, the events of one source go to one workflow. */
const FED: readonly string[] = ['respondToEach', 'respondAndReturn'];

type Workflow = (typeof WORKFLOWS)[number];

/** Long enough for a loaded machine; no test waits for it. */
const RESPOND_MS = 60_000;

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, {
    sources: [...WORKFLOWS.map(toSource), 'later', 'short'],
    triggers: [
      ...WORKFLOWS.map((workflow) => ({
        name: workflow,
        source: toSource(workflow),
        filter: '',
        workflow,
        respondMsMax: RESPOND_MS,
        ...(FED.includes(workflow) && { workflowId: () => 'the one' }),
      })),
      { name: 'short', source: 'short', filter: '', workflow: 'respondLater', respondMsMax: 300 },
    ],
  });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('The sender of an event', () => {
  test('gets the status, the headers and the text that the workflow gave', async () => {
    const id = randomUUID();
    const headers = { 'X-Mine': 'yes', 'Content-Type': 'text/csv' };
    const answer = await ask('respondAtOnce', {
      id,
      json: { response: { status: 418, headers, body: 'a,b' } },
    });
    assert.equal(answer.status, 418);
    assert.equal(answer.headers.get('x-mine'), 'yes');
    assert.equal(answer.headers.get('content-type'), 'text/csv');
    assert.equal(answer.headers.get('nextevent-id'), id);
    assert.equal(await answer.text(), 'a,b');
  });

  test('gets JSON where the body is no text, and 204 where there is none', async () => {
    const json = await ask('respondAtOnce', { json: { response: { body: { a: [1, null] } } } });
    assert.equal(json.status, 200);
    assert.equal(json.headers.get('content-type'), 'application/json');
    assert.deepEqual(await json.json(), { a: [1, null] });
    const none = await ask('respondAtOnce', { json: { response: {} } });
    assert.deepEqual([none.status, await none.text()], [204, '']);
  });

  test('gets an answer that comes after a later event', async () => {
    const key = randomUUID();
    const asked = ask('respondLater', { id: key, json: { key } });
    await untilSubscribedBy(`respondLater/${key}`);
    await app.post('later', { key }, `for ${key}`);
    assert.deepEqual(await (await asked).json(), { answeredBy: `for ${key}` });
  });

  test('gets an answer of a run that continued as new', async () => {
    assert.equal(await (await ask('respondInNextRun', {})).text(), 'from the second run');
  });

  test('gets the same answer for the same event: at the same time, later, and after the end', async () => {
    const key = randomUUID();
    const both = [1, 2].map(() => ask('respondLater', { id: key, json: { key } }));
    await untilSubscribedBy(`respondLater/${key}`);
    await app.post('later', { key }, `for ${key}`);
    const answers = await Promise.all(both.map(async (asked) => (await asked).text()));
    await resultOf(app.client.workflow.getHandle(`respondLater/${key}`));
    const again = await (await ask('respondLater', { id: key, json: { key } })).text();
    assert.deepEqual(new Set([...answers, again]).size, 1);
    assert.deepEqual(JSON.parse(again), { answeredBy: `for ${key}` });
  });

  test('gets 504 when it takes too long, and the workflow goes on', async () => {
    const key = randomUUID();
    const late = await app.post('short', { key }, key);
    assert.equal(late.status, 504);
    await untilSubscribedBy(`short/${key}`);
    await app.post('later', { key }, `for ${key}`);
    assert.equal(await resultOf(app.client.workflow.getHandle(`short/${key}`)), `for ${key}`);
  });

  for (const workflow of ['neverRespond', 'failToRespond'] as const) {
    test(`gets 502, and nothing of why, when the workflow ends without an answer: ${workflow}`, async () => {
      const answer = await ask(workflow, {});
      assert.equal(answer.status, 502);
      const text = await answer.text();
      assert.doesNotMatch(text, /secret/);
      const { requestId } = JSON.parse(text) as { readonly requestId?: string };
      assert.equal(requestId, answer.headers.get('x-request-id'));
    });
  }

  test('that hangs up keeps nobody waiting, and the workflow goes on', async () => {
    const key = randomUUID();
    const hangUp = new AbortController();
    const asked = ask('respondLater', { id: key, json: { key }, signal: hangUp.signal });
    await untilSubscribedBy(`respondLater/${key}`);
    hangUp.abort();
    await assert.rejects(asked, { name: 'AbortError' });
    await app.post('later', { key }, `for ${key}`);
    assert.equal(
      await resultOf(app.client.workflow.getHandle(`respondLater/${key}`)),
      `for ${key}`,
    );
  });

  test('gets its own answer from a workflow that is fed with several', async () => {
    const answers: unknown[] = [];
    for (const key of ['a', 'b', 'c']) {
      answers.push(await (await ask('respondToEach', { id: key, json: { key } })).json());
    }
    assert.deepEqual(answers, [{ count: 1 }, { count: 2 }, { count: 3 }]);
    const last = await ask('respondToEach', { id: 'last', json: { key: 'last' } });
    assert.equal(await last.text(), 'bye');
  });

  test('gets its own answer from a workflow that returns before it has read the event', async () => {
    const first = ask('respondAndReturn', { json: { key: 'first' } });
    const handle = app.client.workflow.getHandle('respondAndReturn/the one');
    await until('it is started', () => handle.describe().catch(() => undefined));
    const others = ['second', 'third'].map((key) => ask('respondAndReturn', { json: { key } }));
    await until('it is fed', async () => {
      const events = (await historyOf(handle)).filter((event) => event.endsWith('_signaled'));
      return events.length === 1 + others.length;
    });
    await goOn(handle);
    const answers = await Promise.all([first, ...others]);
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    assert.deepEqual(texts, ['first', 'second', 'third']);
  });
});

test('A response that can not be sent, and a second one, are refused', async () => {
  const id = randomUUID();
  assert.equal((await ask('respondWrongly', { id })).status, 201);
  const thrown = await resultOf<string[]>(app.client.workflow.getHandle(`respondWrongly/${id}`));
  assert.deepEqual(
    thrown.map((message) => /status|content-length|good|bytes|already/.exec(message)?.[0]),
    ['status', 'content-length', 'good', 'bytes', 'already'],
  );
});

interface Ask {
  readonly id?: string;
  readonly json?: unknown;
  readonly signal?: AbortSignal;
}

function ask(workflow: Workflow, { id = randomUUID(), json = {}, signal }: Ask): Promise<Response> {
  return fetch(`${app.ingress.url}/webhooks/${toSource(workflow)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': id },
    body: JSON.stringify(json),
    ...(signal && { signal }),
  });
}

function toSource(workflow: Workflow): string {
  return workflow.toLowerCase();
}

async function untilSubscribedBy(workflowId: string): Promise<void> {
  await until(`${workflowId} has subscribed`, async () => {
    const page = { limit: 1_000, after: 0 };
    const found = await app.ingress.inspection.subscriptions('later', page);
    return found?.subscriptions.some((held) => held.workflowId === workflowId);
  });
}

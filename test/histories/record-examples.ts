// Records the histories of the examples that `replay.test.ts` replays: of each the way that its
// comment describes, with events and, where there is a limit, without. Run it by hand when there
// is a new example; a history that is kept is never recorded again:
//
//   node --conditions=source --import tsx test/histories/record-examples.ts

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { loadConfig } from '../../config/load.ts';
import { startApp, startServer, until } from '../harness.ts';
import { deliver, startedBy } from '../observe.ts';
import { createKeeper } from './keeping.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const config = await loadConfig(join(ROOT, 'nextevent.config.ts'));
const server = await startServer();
const { keep, keepRuns } = createKeeper(server.client);
const notices: string[] = [];
const app = await startApp(server, {
  workflowsPath: config.workflowsPath,
  sources: [...config.sources.keys()],
  triggers: config.triggers,
  activities: { notify: async (text: string) => notices.push(text) },
});

await recordHello();
await recordApproval();
await recordMeow();
await recordFulfilment();
await recordReminder();
await recordSilence();
await recordAccount();

await app.stop();
await server.stop();

async function recordHello(): Promise<void> {
  const handle = startedBy(app, 'on-hello', await deliver(app, 'hello', { hello: 'world' }));
  await app.waitForSubscriptions(handle);
  await deliver(app, 'hello', { hello: 'again' });
  await handle.result();
  await keep('hello', handle.workflowId);
}

/** One in vain: that with a decision is among those of `record.ts`. */
async function recordApproval(): Promise<void> {
  const order = { id: 'A-18', decideWithinMs: 50 };
  const handle = startedBy(app, 'on-order', await deliver(app, 'orders', order));
  await handle.result();
  await keep('approval-timeout', handle.workflowId);
}

async function recordMeow(): Promise<void> {
  const answered = startedBy(app, 'on-cat', await deliver(app, 'cats', {}));
  await app.waitForSubscriptions(answered);
  await fetch(`${app.ingress.url}/webhooks/cats/tom/meow`);
  await until('it waits for the answer', async () => {
    const held = await app.waitForSubscriptions(answered);
    return held.some(({ filter }) => filter.includes('POST'));
  });
  await fetch(`${app.ingress.url}/webhooks/cats/tom/purr`);
  await answered.result();
  await keep('meow', answered.workflowId);
  const first = { id: 'by-hand', source: 'cats', type: 'post', time: '', data: {} };
  const unanswered = await app.start('meow', first, '50 ms');
  await app.waitForSubscriptions(unanswered);
  await fetch(`${app.ingress.url}/webhooks/cats/tom/meow`);
  await unanswered.result();
  await keep('meow-timeout', unanswered.workflowId);
}

async function recordFulfilment(): Promise<void> {
  const handle = startedBy(app, 'on-purchase', await deliver(app, 'shop', { id: 'A-17' }));
  await app.waitForSubscriptions(handle, { count: 3 });
  for (const [source, status] of [
    ['payments', 'paid'],
    ['warehouse', 'packed'],
    ['carrier', 'on its way'],
    ['carrier', 'delivered'],
  ] as const) {
    await deliver(app, source, { order: 'A-17', status });
  }
  await handle.result();
  await keep('fulfilment', handle.workflowId);
}

async function recordReminder(): Promise<void> {
  const question = { id: 'Q-1', text: 'Ship on Monday?', remindEveryMs: 2_000, remindersMax: 100 };
  const answered = startedBy(app, 'on-question', await deliver(app, 'questions', question));
  await until('it has reminded', () => notices.some((notice) => notice.startsWith(question.text)));
  await deliver(app, 'answers', { question: 'Q-1', text: 'yes' });
  await answered.result();
  await keep('reminder', answered.workflowId);
  const inVain = { id: 'Q-2', text: 'And?', remindEveryMs: 1, remindersMax: 2 };
  const unanswered = startedBy(app, 'on-question', await deliver(app, 'questions', inVain));
  await unanswered.result();
  await keep('reminder-timeout', unanswered.workflowId);
}

/** Reports in two runs, and then none. */
async function recordSilence(): Promise<void> {
  const watch = { device: 'pump-1', silenceMs: 10_000, reportsPerRun: 2 };
  const handle = startedBy(app, 'on-watch', await deliver(app, 'watches', watch));
  await app.waitForSubscriptions(handle);
  for (const pressure of [3.2, 3.1, 3.3]) {
    await deliver(app, 'reports', { device: 'pump-1', pressure });
  }
  await handle.result();
  await keepRuns('silence', handle.workflowId);
}

/** Deposits in several runs, of which the last one goes on. */
async function recordAccount(): Promise<void> {
  const data = { body: { json: { customer: 'C-1', cents: 1 } } };
  const first = { id: 'by-hand', source: 'deposits', type: 'post', time: '', data };
  const handle = await server.client.workflow.start('account', {
    workflowId: 'on-deposit/C-1',
    taskQueue: app.taskQueue,
    args: [first, 0, 2],
  });
  for (const cents of [10, 100, 1_000]) await deliver(app, 'deposits', { customer: 'C-1', cents });
  await until('all are counted', async () => {
    return (await handle.query<number>('balance').catch(() => undefined)) === 1_111;
  });
  await keepRuns('account', handle.workflowId);
}

// Records the histories that `replay.test.ts` replays. Run it by hand when there is
// something new to keep; a history that is kept is never recorded again:
//
//   node --conditions=source --import tsx test/histories/record.ts

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { DeploymentClient } from '../../dispatch/deployment-client.ts';
import {
  SOURCE_TASK_QUEUE,
  SOURCE_WORKFLOW_TYPE,
  segmentWorkflowId,
  sourceWorkflowId,
  subscriptionsQuery,
} from '../../workflows/messages.ts';
import type { DeploymentInput } from '../../workflows/deployment-messages.ts';
import {
  DEPLOYMENT_WORKFLOW_TYPE,
  deliveryWorkflowId,
  deploymentWorkflowId,
  listenerTaskQueue,
  listenerWorkflowId,
} from '../../workflows/listener-messages.ts';
import { fill } from '../filling.ts';
import { startListener, TO_THIS_MACHINE, toDefinition } from '../listeners.ts';
import { deliver, heldBy, startedBy, startLittleSource, untilBegun, untilDispatched } from '../observe.ts';
import { startApp, startServer, until, untilReceived, untilSubscribed } from '../harness.ts';
import { PatientSource } from '../patient-source.ts';
import { Receiver } from '../receiving.ts';
import { signalEvents } from '../signalling.ts';
import { goOnSignal } from '../workflows/stage.ts';
import { createKeeper } from './keeping.ts';

/** So that a sweep is in the histories of sources. */
const SWEEP_MS = 3_000;

const early = { attempts: 0, isHeard: false, isReleased: false };

const overlapping = { isReleased: false };

const server = await startServer();
const { keep, keepRuns } = createKeeper(server.client);
// Sources that continue as new soon, so that this is in their histories.
for (const [source, signalsPerRun] of [
  ['recorded', 20],
  ['chained', 5],
  ['cared', 1_000],
] as const) {
  await server.client.workflow.start(SOURCE_WORKFLOW_TYPE, {
    workflowId: sourceWorkflowId(source),
    taskQueue: SOURCE_TASK_QUEUE,
    args: [{ source, signalsPerRun, isFirst: true, sweepMs: SWEEP_MS }],
    memo: { version: 0, backlog: 0, stateBytes: 0 },
  });
}
const app = await startApp(server, {
  sources: ['recorded', 'chained', 'orders', 'approvals', 'fed', 'cared', 'segmented', 'out', 'early'],
  activities: {
    async nextAttempt() {
      early.attempts += 1;
      return early.attempts;
    },
    async hold() {
      early.isHeard = true;
      await until('it is released', () => early.isReleased);
    },
    async holdUp() {
      await until('it is released', () => overlapping.isReleased);
    },
    async note() {},
  },
  outbound: TO_THIS_MACHINE,
  triggers: [
    {
      name: 'started',
      source: 'recorded',
      filter: 'data.body.json.start',
      workflow: 'returnEvent',
    },
    { name: 'on-order', source: 'orders', filter: '', workflow: 'approval' },
    { name: 'on-fed', source: 'fed', filter: '', workflow: 'recordedFed', workflowId: () => 'key' },
  ],
  workflowsPath: fileURLToPath(new URL('../workflows/replayed.ts', import.meta.url)),
});

await recordEnd();
await recordShortRun();
await recordStoring();
await recordListener();
await recordCancelled();
await recordBacklog();
await recordTimeouts();
await recordRelay();
await recordApproval();
await recordChain();
await recordFed();
await recordTurns();
await recordRace();
await recordScope();
await recordTelling();
await recordOverlap();
await recordEarly();
await recordTimed();
await recordCare();
await recordSegments();
await recordDeliveries();
await recordDrained();
await recordDeployment();

await app.stop();
await server.stop();

async function recordListener(): Promise<void> {
  const listener = await app.start('listen', {
    subscriptions: [
      ['recorded', "event_type == 'post' && data.body.json.n > 0"],
      ['recorded', ''],
    ],
    count: 6,
  });
  await untilSubscribed(listener, 2);
  for (const n of [1, 2, 3]) await app.post('recorded', { n }, `n${n}`);
  await listener.result();
  await keep('listener', listener.workflowId);
  const { started } = await app.post('recorded', { start: true }, 'start');
  const [workflowId = ''] = started;
  await server.client.workflow.getHandle(workflowId).result();
  await keep('triggered', workflowId);
}

async function recordCancelled(): Promise<void> {
  const waiting = await app.start('listen', { subscriptions: [['recorded', '']], count: 1 });
  await untilSubscribed(waiting, 1);
  await waiting.cancel();
  await waiting.result().catch(() => {});
  await keep('cancelled', waiting.workflowId);
}

/** Events that wait for a worker, and a source that continues as new. */
async function recordBacklog(): Promise<void> {
  const source = server.client.workflow.getHandle('nextevent/source/recorded');
  const { runId } = await source.describe();
  const waiting = await app.start('listen', { subscriptions: [['recorded', '']], count: 3 });
  await untilSubscribed(waiting, 1);
  await app.stopWorker();
  // A registration that nobody has seen yet makes the ingress use the backlog.
  const late = await app.start('listen', { subscriptions: [['recorded', '']], count: 1 });
  await source.signal('unregister', { ids: ['00000000-0000-8000-8000-000000000000'] });
  for (const n of [7, 8, 9]) await app.post('recorded', { n }, `n${n}`);
  await app.startWorker();
  await untilReceived(waiting, 3);
  await untilSubscribed(late, 1);
  await until('the source has continued as new', async () => {
    await (await app.start('listen', { subscriptions: [['recorded', '']], count: 0 })).result();
    return (await source.describe()).runId !== runId;
  });
  await keep('source', source.workflowId, runId);
  await keep('stored-event', 'nextevent/event/recorded/n7');
}

/** Waits with a timeout, in vain too; a refused filter; and the end of a subscription. */
async function recordTimeouts(): Promise<void> {
  const handle = await app.start('recordedListener', 'chained');
  await untilSubscribed(handle, 2);
  await app.post('chained', { side: 'left' });
  await untilReceived(handle, 1);
  await app.post('chained', { side: 'right' });
  await untilSubscribed(handle, 3);
  await app.post('chained', { side: 'left' });
  await app.post('chained', { side: 'right' });
  await handle.result();
  await keep('timeouts', handle.workflowId);
}

/** Runs that leave unread events to the next. */
async function recordRelay(): Promise<void> {
  const handle = await app.start('recordedRelay', 'chained');
  await untilSubscribed(handle, 1);
  // More at once than a run takes, and one of them twice.
  const ids = ['one', 'two', 'three', 'four', 'four', 'five', 'six'];
  await Promise.all(ids.map((id) => app.post('chained', {}, id)));
  await handle.result();
  await keepRuns('continued', handle.workflowId);
}

async function recordApproval(): Promise<void> {
  const order = { id: 'A-17', decideWithinMs: 60_000 };
  const handle = startedBy(app, 'on-order', await app.post('orders', order));
  await until('it waits for a decision', async () => {
    const held = await heldBy(app.client, 'approvals').catch(() => undefined);
    return held?.subscriptions.length === 1;
  });
  await app.post('approvals', { order: 'A-17', approved: true });
  await handle.result();
  await keep('approval', handle.workflowId);
}

/** Every run of a source, with a backlog in one of them. */
async function recordChain(): Promise<void> {
  const handle = await app.start('recordedWaiter', 'chained');
  await untilSubscribed(handle, 1);
  await app.stopWorker();
  await new PatientSource(app.client).unregister('chained', [randomUUID()]);
  for (const id of ['queued', 'queued too']) await app.post('chained', {}, id);
  await app.startWorker();
  await untilDispatched(app, 'chained');
  await handle.result();
  await keepRuns('chained-source', sourceWorkflowId('chained'));
}

/** Events that a trigger feeds, carried to the next run, and one that is unread at the end. */
async function recordFed(): Promise<void> {
  const handle = server.client.workflow.getHandle('on-fed/key');
  await app.post('fed', {}, 'fed first');
  await untilSubscribed(handle, 1);
  for (const id of ['first', 'two', 'three', 'two', 'four', 'five', 'last']) {
    await app.post('fed', {}, `fed ${id}`);
  }
  const { runId } = await handle.describe();
  await handle.signal(goOnSignal);
  await until('it has continued as new', async () => (await handle.describe()).runId !== runId);
  await untilSubscribed(handle, 1);
  await handle.signal(goOnSignal);
  await handle.result();
  await keepRuns('fed', handle.workflowId);
}

/** Two events in one task, for two readers, and something that continues as new in between. */
async function recordTurns(): Promise<void> {
  const input = { source: 'chained', continuing: 'condition', total: 3 };
  const handle = await app.start('takeTurns', input);
  const { subscribed } = await untilSubscribed(handle, 2);
  await app.stopWorker();
  await signalEvents(handle, subscribed, [
    ['one', 0],
    ['two', 1],
  ]);
  await app.startWorker();
  await signalEvents(handle, subscribed, [['three', 0]]);
  await handle.result();
  await keepRuns('turns', handle.workflowId);
}

/** Five events in one task, for code that asks for two at once and takes one question back. */
async function recordRace(): Promise<void> {
  const handle = await app.start('raceInScope', { source: 'chained', isWokenByJob: true, total: 5 });
  const { subscribed } = await untilSubscribed(handle, 2);
  await app.stopWorker();
  const ids = ['one', 'two', 'three', 'four', 'five'];
  await signalEvents(
    handle,
    subscribed,
    ids.map((id, index) => [id, index % 2]),
  );
  await handle.signal(goOnSignal);
  await app.startWorker();
  await handle.result();
  await keep('race', handle.workflowId);
}

/** Three events for code that asks for one, and then for one in a race that it loses. */
async function recordScope(): Promise<void> {
  const handle = await app.start('raceWithThePast', { source: 'chained' });
  const { subscribed } = await untilSubscribed(handle, 2);
  await app.stopWorker();
  await handle.signal(goOnSignal);
  await signalEvents(handle, subscribed, [
    ['one', 0],
    ['two', 0],
  ]);
  await app.startWorker();
  await handle.result();
  await keep('race-in-scope', handle.workflowId);
}

/** Three events for code that wakes who continues as new with the second, and reads on. */
async function recordTelling(): Promise<void> {
  const handle = await app.start('readAndTell', { source: 'chained', turns: 3 });
  const { subscribed } = await untilSubscribed(handle, 2);
  await app.stopWorker();
  await signalEvents(handle, subscribed, [
    ['one', 0],
    ['stop', 0],
    ['two', 0],
  ]);
  await app.startWorker();
  await handle.result();
  await keepRuns('tell', handle.workflowId);
}

/** An event that comes while a local activity is on its way, which ends in the same task. */
async function recordOverlap(): Promise<void> {
  const handle = await app.client.workflow.start('overlap', {
    workflowId: randomUUID(),
    taskQueue: app.taskQueue,
    args: [{ source: 'chained', kind: 'collecting' }],
    workflowTaskTimeout: '5 seconds',
  });
  const { subscribed } = await untilSubscribed(handle, 1);
  await signalEvents(handle, subscribed, [
    ['one', 0],
    ['two', 0],
  ]);
  await untilBegun(handle);
  await sleep(500);
  overlapping.isReleased = true;
  await handle.result();
  await keep('overlap', handle.workflowId);
  const beside = await app.start('subscribeBeside', ['chained', 'recorded', 'early']);
  await beside.result();
  await keep('subscribed-beside', beside.workflowId);
}

/** A task that is executed again, and hears what came for the subscription that it makes. */
async function recordEarly(): Promise<void> {
  const handle = await app.start('subscribeInVainBeside', 'early', ['', 'data.body.json.early']);
  await until('the registration was heard', () => early.isHeard);
  for (const id of ['one', 'two']) await deliver(app, 'early', { early: true }, id);
  early.isReleased = true;
  await handle.result();
  await keep('early', handle.workflowId);
}

/** A wait whose timer has a summary, in a workflow that shows what it subscribes to. */
async function recordTimed(): Promise<void> {
  const handle = await app.start('waitInVain', 'cared', 10);
  await handle.result();
  await keep('summary', handle.workflowId);
}

/** A source that sweeps, and the one after it that recovers what it held. */
async function recordCare(): Promise<void> {
  const source = server.client.workflow.getHandle(sourceWorkflowId('cared'));
  const { runId } = await source.describe();
  const [staying, gone] = await Promise.all(
    ['staying', 'gone'].map(() =>
      app.start('listen', { subscriptions: [['cared', '']], count: 1 }),
    ),
  );
  if (staying === undefined || gone === undefined) return;
  await untilSubscribed(staying, 1);
  await untilSubscribed(gone, 1);
  await gone.terminate();
  await until('it is swept', async () => {
    return (await heldBy(app.client, 'cared').catch(() => undefined))?.subscriptions.length === 1;
  });
  await source.terminate();
  await keep('swept-source', source.workflowId, runId);
  await app.startIngress();
  await until('it has recovered', async () => {
    return (await heldBy(app.client, 'cared').catch(() => undefined))?.subscriptions.length === 1;
  });
  await app.post('cared', {}, 'one');
  await staying.result();
  await keep('recovered-source', source.workflowId);
  await keep('recovered-in-parts', source.workflowId);
}

/** A source that moves what it has to segments, merges them, and continues as new between. */
async function recordSegments(): Promise<void> {
  const source = 'segmented';
  await startLittleSource(server.client, source, {
    hotBytesMax: 4_096,
    signalsPerRun: 12,
    graceMs: 500,
  });
  const client = new PatientSource(server.client);
  for (let times = 0; times < 2; times += 1) {
    const filled = await fill(client, source, 40);
    const ended = filled.slice(0, 30).map(({ id }) => id);
    for (const id of ended) await client.unregister(source, [id]);
  }
  await fill(client, source, 10);
  await until('it has merged what ended', async () => {
    return (await client.describe(source))?.memo?.subscriptions === 30;
  });
  await keepRuns('segmented-source', sourceWorkflowId(source));
  await until('a run has dropped what was merged', async () => {
    const { runId } = await app.client.workflow.getHandle(sourceWorkflowId(source)).describe();
    await client.unregister(source, [randomUUID()]);
    const { events } = await app.client.workflow
      .getHandle(sourceWorkflowId(source), runId)
      .fetchHistory();
    const types = events?.map(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name,
    );
    if (!types?.includes('nexteventDropSegments')) return false;
    await keep('dropping-source', sourceWorkflowId(source), runId);
    return true;
  });
  const { segments = [] } = await client.changes(source, { firstRunId: '', since: 0 });
  const [segment] = segments;
  if (segment === undefined) throw new Error('there is one');
  await keep('segment', segmentWorkflowId(source, segment));
}

/** A listener with all that it does: in several runs, until it is removed. */
async function recordDeliveries(): Promise<void> {
  let answers = 0;
  const receiver = await Receiver.start(() => ((answers += 1) % 3 === 0 ? 503 : 200));
  const wanted = { sources: ['out'], url: receiver.url, retryMs: [300, 300], failuresMax: 2 };
  const listener = await startListener(app, wanted, { id: 'recorded', historyEventsMax: 80 });
  for (let n = 1; n <= 12; n += 1) await app.post('out', { n }, `out ${n}`);
  await listener.untilDelivered('successful', 12);
  await listener.change({ url: `${receiver.url}/moved`, filter: 'data.body.json.n > 0', ordered: true });
  await listener.deactivate('recorded');
  await app.post('out', { n: 13 }, 'out 13');
  await listener.untilDelivered('skipped');
  await listener.activate();
  await listener.redeliver(1, 13);
  await listener.untilDelivered('successful', 14);
  receiver.react = () => 404;
  await app.post('out', { n: 14 }, 'out 14');
  await listener.untilDelivered('failed');
  await listener.change({ retryMs: [3_600_000] });
  await app.post('out', { n: 15 }, 'out 15');
  await until('the last one waits', async () => {
    const last = (await listener.deliveries()).at(-1);
    return last?.status === 'pending' && last.attempts.length === 1;
  });
  await listener.remove();
  await listener.handle.result();
  await receiver.stop();
  await keepRuns('deliveries', listenerWorkflowId('recorded'));
  await keep('delivery-ended', deliveryWorkflowId('recorded', 3));
  await keep('delivery-skipped', deliveryWorkflowId('recorded', 13));
  await keep('delivery-failed', deliveryWorkflowId('recorded', 16));
}

/** A listener whose subscriptions are replaced, which it drains in several runs, and that retires. */
async function recordDrained(): Promise<void> {
  const receiver = await Receiver.start();
  const wanted = { sources: ['out'], url: receiver.url, filter: 'data.body.json.n > 100' };
  const listener = await startListener(app, wanted, { id: 'drained', historyEventsMax: 40 });
  await app.post('out', { n: 101 }, 'out 101');
  await listener.change({ filter: 'data.body.json.n > 101' });
  for (let n = 102; n <= 112; n += 1) await app.post('out', { n }, `out ${n}`);
  await listener.untilDelivered('successful', 12);
  await listener.retire('recorded');
  await untilHeld(0);
  await listener.remove();
  await listener.handle.result();
  await receiver.stop();
  await keepRuns('drained', listenerWorkflowId('drained'));

  async function untilHeld(count: number): Promise<void> {
    await until(`${count} subscriptions are left`, async () => {
      const held = await listener.handle.query(subscriptionsQuery);
      return held.length === count;
    });
  }
}

/** Static listeners that come, change and go, in several runs; and a workflow that has one. */
async function recordDeployment(): Promise<void> {
  const taskQueue = 'recorded';
  const workflowId = deploymentWorkflowId(taskQueue);
  const input: DeploymentInput = { generation: 0, hash: '', listeners: [], historyEventsMax: 30 };
  const handle = await server.client.workflow.start(DEPLOYMENT_WORKFLOW_TYPE, {
    workflowId,
    taskQueue: listenerTaskQueue(app.taskQueue),
    args: [input],
  });
  const deployment = new DeploymentClient(server.client, taskQueue);
  const [one, other] = ['one', 'other'].map((name) =>
    toDefinition({ name, sources: ['out'], url: 'https://recorded.example/' }),
  );
  if (one === undefined || other === undefined) throw new Error('there are two');
  await deployment.deploy([one]);
  await deployment.deploy([one]);
  await deployment.deploy([{ ...one, method: 'PUT' }, other]);
  await deployment.deploy([other]);
  await until('it is the next run', async () => {
    const { runId } = await server.client.workflow.getHandle(workflowId).describe();
    return runId !== handle.firstExecutionRunId;
  });
  await deployment.deploy([one, other]);
  await keepRuns('deployment', workflowId);
  const managing = await app.start('manageListener', 'out', 'recorded');
  await managing.result();
  await keep('managed-listener', managing.workflowId);
}

/** A workflow that ends while its source is being told of a subscription that it has ended. */
async function recordEnd(): Promise<void> {
  const handle = await app.start('endOneOfTwo', 'chained');
  await handle.result();
  await keep('ended-once', handle.workflowId);
}

/** A source that continues as new when one does that was told nothing else. */
async function recordShortRun(): Promise<void> {
  const source = 'brief';
  const client = new PatientSource(server.client);
  const handle = server.client.workflow.getHandle(sourceWorkflowId(source));
  await fill(client, source, 1);
  const { runId } = await handle.describe();
  await until('it has continued as new', async () => {
    await client.unregister(source, [randomUUID()]);
    return (await handle.describe()).runId !== runId;
  });
  await keep('short-source', handle.workflowId, runId);
}

/** A source that continues as new while it has more to store than one step moves. */
async function recordStoring(): Promise<void> {
  const source = 'storing';
  await startLittleSource(server.client, source, { hotBytesMax: 1_024, signalsPerRun: 1 });
  const client = new PatientSource(server.client);
  const handle = server.client.workflow.getHandle(sourceWorkflowId(source));
  await fill(client, source, 200);
  await until('all of it is stored', async () => {
    const { memo, isPending } = (await client.describe(source)) ?? {};
    return (memo?.segments ?? 0) > 0 && (memo?.hotBytes ?? 0) <= 1_024 && !isPending;
  });
  await keepRuns('storing-source', handle.workflowId);
}

// How events reach those who want them when something is large, gone, stuck or overloaded.
// The server runs on its plain defaults, as it does elsewhere.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import proto from '@temporalio/proto';

import { createDispatcher, connectWithoutRetry } from '../dispatch/dispatcher.ts';
import { UnavailableError } from '../dispatch/errors.ts';
import { toFailureKind } from '../dispatch/failures.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import {
  FAN_OUT_MAX,
  type Dispatched,
  type SourceDispatcher,
} from '../dispatch/source-dispatcher.ts';
import { Subscribers } from '../dispatch/subscribers.ts';
import { Triggers } from '../dispatch/triggers.ts';
import type { Event } from '../events/event.ts';
import {
  acceptSignal,
  SOURCE_TASK_QUEUE,
  SOURCE_WORKFLOW_TYPE,
  sourceWorkflowId,
  type Changes,
} from '../workflows/messages.ts';
import {
  postUntilAccepted,
  startApp,
  startServer,
  until,
  untilReceived,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { oncePerKey, untilKnown } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import { receivedBy, resultOf, startCollecting } from './received.ts';
import {
  busy,
  CODE,
  dispatcherWith,
  eventOf,
  grpcError,
  overloaded,
  STUCK_MS,
  withoutStarts,
  withSignals,
  type Detail,
} from './trouble.ts';
import type { RaceResult } from './workflows/racing.ts';

describe('An event', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer({ tuned: false });
  });
  after(() => server.stop());

  test('for hundreds of workflows goes through the backlog, and reaches each once', async () => {
    const source = 'fan-out';
    await withApp(server, source, async (app) => {
      const count = FAN_OUT_MAX + 44;
      const subscriptions = [[source, '']];
      const started = Array.from({ length: count }, () => app.start('collect', { subscriptions }));
      const collecting = await Promise.all(started);
      await untilVersion(app, source, count);
      for (const id of ['one', 'end']) {
        const posted = await postUntilAccepted([app.ingress.url], { source, id, body: {} });
        assert.equal(posted.queued, true);
      }
      for (const handle of collecting) assert.deepEqual(await receivedBy(handle), ['one']);
    });
  });

  test('removes a subscriber that is gone, and reaches the others at once', async () => {
    const source = 'gone';
    await withApp(server, source, async (app) => {
      const staying = await startCollecting(app, [[source, '']]);
      const gone = await startCollecting(app, [[source, '']]);
      await untilKnown(app, source);
      await gone.terminate();
      const posted = await app.post(source, {}, 'one');
      assert.deepEqual([posted.status, posted.signalled, posted.queued], [202, 1, false]);
      const left = await until('the source has heard of it', async () => {
        const sources = new PatientSource(app.client);
        const asked = sources.changes(source, { firstRunId: '', since: 0 });
        const { added } = await asked.catch(() => ({ added: undefined }));
        return added !== undefined && added.length < 2 && added;
      });
      assert.deepEqual(
        left.map(({ workflowId }) => workflowId),
        [staying.workflowId],
      );
      await app.post(source, {}, 'end');
      assert.deepEqual(await receivedBy(staying), ['one']);
    });
  });

  test('reaches a workflow that is stuck later, in order, and the others at once', async () => {
    const source = 'stuck';
    await withApp(server, source, async (app) => {
      const stuck = await startCollecting(app, [[source, '']]);
      const free = await startCollecting(app, [[source, '']]);
      const failures = new Map([[stuck.workflowId, grpcError(CODE.UNAVAILABLE)]]);
      const dispatcher = dispatcherWith(app.client, source, { failures });
      try {
        const dispatching = dispatcher.dispatch(eventOf(source, 'one'));
        const { queued } = await dispatching;
        assert.equal(queued, true);
        failures.clear();
        await dispatcher.dispatch(eventOf(source, 'two'));
        await dispatcher.dispatch(eventOf(source, 'end'));
        assert.deepEqual(await receivedBy(stuck), ['one', 'two']);
        assert.deepEqual(await receivedBy(free), ['one', 'two']);
      } finally {
        await dispatcher.close();
      }
    });
  });

  test('for the backlog waits until those before it have been signalled', async () => {
    const source = 'behind';
    await withApp(server, source, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const slowMs = new Map([[collecting.workflowId, 2 * STUCK_MS]]);
      const dispatcher = dispatcherWith(app.client, source, { slowMs });
      try {
        const sent: string[] = [];
        await until('an event is signalled while the next one is queued', async () => {
          // Who is found to be gone is removed: each round needs ghosts of its own.
          const registrations = Array.from({ length: FAN_OUT_MAX + 1 }, (_, index) => ({
            id: randomUUID(),
            filter: 'data.wide',
            workflowId: `ghost ${index}`,
            firstRunId: randomUUID(),
          }));
          await new PatientSource(app.client).register(source, { registrations });
          await untilKnown(app, source, () => dispatcher.subscriptions());
          const round = sent.length;
          sent.push(`one ${round}`, `two ${round}`);
          const [one, two] = await Promise.all([
            dispatcher.dispatch(eventOf(source, `one ${round}`)),
            dispatcher.dispatch(eventOf(source, `two ${round}`, { wide: true })),
          ]);
          assert.equal(two.queued, true);
          // On a machine that is too busy to read the source in time, the first is queued, too.
          return !one.queued;
        });
        await dispatcher.dispatch(eventOf(source, 'end'));
        assert.deepEqual(await receivedBy(collecting), sent);
      } finally {
        await dispatcher.close();
      }
    });
  });

  test('is acknowledged when one workflow takes no more signals', async () => {
    const source = 'refusing';
    await withApp(server, source, async (app) => {
      const refusing = await startCollecting(app, [[source, '']]);
      const free = await startCollecting(app, [[source, '']]);
      const failures = new Map([[refusing.workflowId, grpcError(CODE.INVALID_ARGUMENT)]]);
      const dispatcher = dispatcherWith(app.client, source, { failures });
      try {
        await untilKnown(app, source, () => dispatcher.subscriptions());
        const { signalled, queued } = await dispatcher.dispatch(eventOf(source, 'one'));
        assert.deepEqual([signalled, queued], [1, false]);
        await dispatcher.dispatch(eventOf(source, 'end'));
        assert.deepEqual(await receivedBy(free), ['one']);
      } finally {
        await dispatcher.close();
        await refusing.terminate();
      }
    });
  });

  test('reaches a workflow that is busy for a moment, at once', async () => {
    const source = 'busy';
    await withApp(server, source, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const failures = [busy()];
      const failOnce = async (): Promise<void> => {
        const failure = failures.pop();
        if (failure !== undefined) throw failure;
      };
      const dispatcher = dispatcherWith(app.client, source, { before: failOnce, stuckMs: 10_000 });
      try {
        await untilKnown(app, source, () => dispatcher.subscriptions());
        const { signalled, queued } = await dispatcher.dispatch(eventOf(source, 'one'));
        assert.deepEqual([signalled, queued], [1, false]);
        assert.deepEqual(failures, []);
        await dispatcher.dispatch(eventOf(source, 'end'));
        assert.deepEqual(await receivedBy(collecting), ['one']);
      } finally {
        await dispatcher.close();
      }
    });
  });

  test('goes to the backlog of a source that is busy for a moment', async () => {
    const source = 'busy-source';
    await withApp(server, source, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const failures = [busy()];
      const sources = new SourceClient(
        withSignals(app.client, async (name) => {
          const failure = name === acceptSignal.name ? failures.pop() : undefined;
          if (failure !== undefined) throw failure;
        }),
      );
      // Nothing can be signalled through this one, so that all goes through the backlog.
      const dispatcher = dispatcherWith(app.client, source, { failures: 'all', sources });
      try {
        for (const id of ['one', 'end']) {
          const { queued } = await dispatcher.dispatch(eventOf(source, id));
          assert.deepEqual([queued, failures], [true, []]);
        }
        assert.deepEqual(await receivedBy(collecting), ['one']);
      } finally {
        await dispatcher.close();
      }
    });
  });

  test('whose trigger starts nothing is not acknowledged, and reaches nobody twice', async () => {
    const source = 'not-started';
    await withApp(server, source, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const { taskQueue } = app;
      const trigger = { name: 'on-event', source, filter: '', workflow: 'returnEvent', taskQueue };
      const failing = dispatcherWith(app.client, source, {
        triggers: new Triggers(withoutStarts(app.client), [trigger]),
      });
      const dispatcher = dispatcherWith(app.client, source, {
        triggers: new Triggers(app.client, [trigger]),
      });
      try {
        const one = eventOf(source, 'one');
        await assert.rejects(failing.dispatch(one), UnavailableError);
        await untilReceived(collecting, 1);
        const { started } = await dispatcher.dispatch(one);
        assert.deepEqual(started, ['on-event/one']);
        assert.equal(await resultOf(app.client.workflow.getHandle('on-event/one')), 'one');
        await dispatcher.dispatch(eventOf(source, 'end'));
        assert.deepEqual(await receivedBy(collecting), ['one']);
      } finally {
        await failing.close();
        await dispatcher.close();
      }
    });
  });

  test('is refused while the server is overloaded, and makes it no more work', async () => {
    const source = 'overloaded';
    await withApp(server, source, async (app) => {
      const collecting = await startCollecting(app, [[source, '']]);
      const failures = new Map([[collecting.workflowId, grpcError(CODE.RESOURCE_EXHAUSTED)]]);
      const dispatcher = dispatcherWith(app.client, source, { failures });
      try {
        await untilKnown(app, source, () => dispatcher.subscriptions());
        await assert.rejects(
          dispatcher.dispatch(eventOf(source, 'one')),
          (error) => error instanceof UnavailableError && error.retryAfterSeconds > 1,
        );
        const described = await new PatientSource(app.client).describe(source);
        assert.deepEqual([described?.isPending, described?.memo?.backlog], [false, 0]);
        failures.clear();
        await dispatcher.dispatch(eventOf(source, 'one'));
        await dispatcher.dispatch(eventOf(source, 'end'));
        assert.deepEqual(await receivedBy(collecting), ['one']);
      } finally {
        await dispatcher.close();
      }
    });
  });

  test('is never acknowledged for a namespace that there is not', async () => {
    const dispatcher = await createDispatcher({
      connectionOptions: { address: server.address },
      namespace: 'nowhere',
      sources: ['orders'],
      triggers: [],
    });
    try {
      await assert.rejects(dispatcher.dispatch(eventOf('orders', 'one')), UnavailableError);
    } finally {
      await dispatcher.close();
    }
  });

  test('is not lost while its source continues as new, and readers need no snapshot', async () => {
    const source = 'continuing';
    const workflows = 6;
    const rounds = 12;
    let url = '';
    const post = (key: string, id: string) =>
      postUntilAccepted([url], { source, id, body: { key } });
    const app = await startApp(server, {
      sources: [source],
      activities: {
        beforeSubscribe: oncePerKey((key) => post(key, `early ${key}`)),
        afterSubscribe: (key: string) => post(key, `due ${key}`),
      },
    });
    url = app.ingress.url;
    const workflowId = sourceWorkflowId(source);
    const first = await app.client.workflow.start(SOURCE_WORKFLOW_TYPE, {
      workflowId,
      taskQueue: SOURCE_TASK_QUEUE,
      args: [{ source, isFirst: true, signalsPerRun: 20 }],
      memo: { version: 0, backlog: 0, stateBytes: 0 },
    });
    const connection = await connectWithoutRetry({ address: server.address });
    const observed = new ObservedSource(app.client);
    const reading = new Subscribers(source, observed, { asksBesideBacklog: true });
    // Nothing can be signalled through this one, so that all goes through the backlog.
    const backlogged = dispatcherWith(app.client, source, { failures: 'all' });
    const over = new AbortController();
    try {
      const names = Array.from({ length: workflows }, (_, index) => `racer${index}`);
      const collecting = await startCollecting(app, [[source, 'data.slow']]);
      const churning = await app.start('churn', source);
      const readings = (async () => {
        while (!over.signal.aborted) await reading.read();
      })();
      const slow: string[] = [];
      const dispatching = (async () => {
        while (!over.signal.aborted) {
          const ids = Array.from({ length: 5 }, () => randomUUID());
          await Promise.all(
            ids.map((id) => dispatchUntilDurable(backlogged, eventOf(source, id, { slow: true }))),
          );
          slow.push(...ids);
        }
      })();
      const results = await Promise.all(
        names.map(async (name, index) => {
          const isLocal = index % 2 === 0;
          return resultOf<RaceResult>(await app.start('race', { source, name, rounds, isLocal }));
        }),
      );
      await until('three runs have answered', () => observed.runIds.size >= 3);
      over.abort();
      await Promise.all([readings, dispatching]);
      await churning.terminate();
      const expected = names.map((name) =>
        Array.from({ length: rounds }, (_, round) => [`due ${name}-${round}`]),
      );
      assert.deepEqual(results, expected);
      await backlogged.dispatch(eventOf(source, 'end', { slow: true }));
      const received = await receivedBy(collecting);
      assert.equal(received.length, slow.length);
      assert.deepEqual(new Set(received), new Set(slow));
      const { runId } = await app.client.workflow.getHandle(workflowId).describe();
      assert.notEqual(runId, first.firstExecutionRunId);
      assert.ok(observed.snapshots <= 1, `${observed.snapshots} snapshots`);
    } finally {
      over.abort();
      await backlogged.close();
      await connection.close();
      await app.stop();
    }
  });
});

describe('A failed call', () => {
  const cases: Array<[what: string, error: unknown, kind: string]> = [
    ['a busy workflow', busy(), 'retry'],
    ['too many requests', overloaded(), 'overloaded'],
    ['exhaustion of an unknown kind', grpcError(CODE.RESOURCE_EXHAUSTED), 'overloaded'],
    ['no such workflow', grpcError(CODE.NOT_FOUND), 'gone'],
    ['no such namespace', grpcError(CODE.NOT_FOUND, noNamespace()), 'retry'],
    ['too many signals', grpcError(CODE.INVALID_ARGUMENT), 'refused'],
    ['a namespace that is active elsewhere', grpcError(CODE.FAILED_PRECONDITION), 'retry'],
    ['no connection', grpcError(CODE.UNAVAILABLE), 'retry'],
    ['one that the SDK has wrapped', new Error('failed', { cause: overloaded() }), 'overloaded'],
    ['an error of another kind', new Error('failed'), 'retry'],
  ];
  for (const [what, error, kind] of cases) {
    test(`because of ${what} is ${kind}`, () => assert.equal(toFailureKind(error), kind));
  }
});

async function withApp(
  server: TestServer,
  source: string,
  run: (app: TestApp) => Promise<void>,
): Promise<void> {
  const app = await startApp(server, { sources: [source] });
  try {
    await run(app);
  } finally {
    await app.stop();
  }
}

/** Waits until a source has seen so many registrations. */
async function untilVersion(app: TestApp, source: string, version: number): Promise<void> {
  const sources = new PatientSource(app.client);
  await until(`${source} is at version ${version}`, async () => {
    const described = await sources.describe(source).catch(() => undefined);
    return described?.memo?.version === version && !described.isPending;
  });
}

/** As its sender does: the server refuses signals for a while around continue-as-new. */
function dispatchUntilDurable(dispatcher: SourceDispatcher, event: Event): Promise<Dispatched> {
  return until(`${event.id} is durable`, () =>
    dispatcher.dispatch(event).catch((error: unknown) => {
      if (error instanceof UnavailableError) return undefined;
      throw error;
    }),
  );
}

class ObservedSource extends SourceClient {
  readonly runIds = new Set<string>();
  snapshots = 0;

  override async changes(...args: Parameters<SourceClient['changes']>): Promise<Changes> {
    const changes = await super.changes(...args);
    this.runIds.add(changes.runId);
    if (changes.snapshot) this.snapshots += 1;
    return changes;
  }
}

function noNamespace(): Detail {
  const { NamespaceNotFoundFailure } = proto.temporal.api.errordetails.v1;
  const value = NamespaceNotFoundFailure.encode({ namespace: 'nowhere' }).finish();
  return { type: 'temporal.api.errordetails.v1.NamespaceNotFoundFailure', value };
}

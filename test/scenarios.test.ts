// The scenarios of durable event subscriptions that the other files leave open. Each is named
// by its number in the list of scenarios that the project was built against: T for those of
// the system that it is modelled on, D for those that were added.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import {
  TerminatedFailure,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';

import {
  post,
  postUntilAccepted,
  progressOf,
  startApp,
  startProcess,
  startServer,
  until,
  untilReceived,
  untilSubscribed,
  type AppOptions,
  type Posted,
  type TestApp,
  type TestProcess,
  type TestServer,
} from './harness.ts';
import { count, deliver, goOn, heldBy, historyOf, startedBy, warmUp } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import {
  linesQuery,
  type Place,
  type ScenarioActivities,
  type TwoWebhooks,
} from './workflows/scenarios.ts';
import { resultOf } from './received.ts';
import type { Ending } from './workflows/subscribing.ts';

/** How soon a workflow that is stopped must have ended: at once, on a machine that is busy. */
const AT_ONCE_MS_MAX = 30_000;

const activities: ScenarioActivities & Record<string, (...args: never[]) => unknown> = {
  async tryInActivity(source, id) {
    const calls = [() => subscribe(source), () => nextEvent(id), () => unsubscribe(id)];
    const lines: string[] = [];
    for (const call of calls) {
      const line = await call().then(
        () => 'no failure',
        (error: Error & { type?: string }) => `${error.type}: ${error.message}`,
      );
      lines.push(line);
    }
    return lines;
  },
  handle: (event) => Promise.resolve(`handled ${event.id}`),
  ask: () => Promise.resolve(),
};

const OPTIONS: AppOptions = {
  sources: ['start', ...Array.from({ length: 60 }, (_, index) => `source-${index}`)],
  triggers: [{ name: 'on-start', source: 'start', filter: '', workflow: 'twoWebhooks' }],
  activities,
};
const unused = OPTIONS.sources.slice(1);

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, OPTIONS);
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe(
  'A workflow that a webhook starts and that waits for two others',
  {
    timeout: 900_000,
  },
  () => {
    /** Its worker executes a workflow from the start in every workflow task. */
    let uncached: TestApp;
    let itsServer: TestServer;
    before(async () => {
      itsServer = await startServer();
      const workerOptions = { maxCachedWorkflows: 0 };
      uncached = await startApp(itsServer, { ...OPTIONS, workerOptions });
    });
    after(async () => {
      await uncached?.stop();
      await itsServer?.stop();
    });

    const RECEIVED = ['1 a', '2 b', '3 none', '4 c', '5 d', 'done'];
    const variants: ReadonlyArray<
      readonly [title: string, input: Pick<TwoWebhooks, 'filter' | 'within'>, keeps: boolean]
    > = [
      ['T2: keeps nothing but its history', { filter: '', within: 'workflow' }, false],
      ['T3: names the ids in a list', { filter: 'true', within: 'workflow' }, true],
      ['T4: does so and keeps nothing', { filter: 'true', within: 'workflow' }, false],
    ];
    for (const [title, input, keeps] of variants) {
      test(title, async () => {
        const { lines } = await runTwoWebhooks(keeps ? app : uncached, input);
        assert.deepEqual(lines.slice(2), RECEIVED);
      });
    }

    test('T5: handles events in an activity, where the three calls fail and can be caught', async () => {
      const { lines } = await runTwoWebhooks(app, { filter: 'true', within: 'activity' });
      const [subscribing, asking, unsubscribing, ...handled] = lines.slice(2);
      for (const line of [subscribing, asking, unsubscribing]) {
        assert.match(line ?? '', /^NoInboxError: .*only in workflow code/);
      }
      assert.deepEqual(handled, [
        '1 handled a',
        '2 handled b',
        '3 none',
        '4 handled c',
        '5 handled d',
        'done',
      ]);
    });

    test('T6: says where to post to before it subscribes', async () => {
      const [one, two] = [aSource(), aSource()];
      const { lines, paths } = await runTwoWebhooks(app, { filter: 'true', within: 'workflow' }, [
        one,
        two,
      ]);
      assert.deepEqual(paths, [`/webhooks/${one}`, `/webhooks/${two}`]);
      assert.deepEqual(lines, [...paths, ...RECEIVED]);
    });
  },
);

describe('A workflow that ends', { concurrency: true, timeout: 900_000 }, () => {
  const endings: ReadonlyArray<readonly [title: string, ending: Ending, status: string]> = [
    ['completes', 'return', 'COMPLETED'],
    ['fails', 'failure', 'FAILED'],
    ['is cancelled', 'wait', 'CANCELLED'],
  ];
  for (const [title, ending, expected] of endings) {
    test(`D8: because it ${title} is in no source any more, and the next event costs it nothing`, async () => {
      const sources = [aSource(), aSource()];
      const handle = await app.start('endBy', [...sources, ...sources], ending);
      await untilSubscribed(handle, 4);
      for (const source of sources) {
        await deliver(app, source, {}, 'unread');
        assert.equal((await heldBy(app.client, source)).subscriptions.length, 2);
      }
      if (ending === 'wait') await handle.cancel();
      else await goOn(handle);
      await handle.result().catch(() => {});
      assert.equal((await handle.describe()).status.name, expected);
      const { length } = await historyOf(handle);
      for (const source of sources) {
        const { version, subscriptions } = await heldBy(app.client, source);
        assert.deepEqual(subscriptions, []);
        await warmUp(app, source);
        const posted = await deliver(app, source, {}, 'late');
        assert.deepEqual([posted.status, posted.signalled], [202, 0]);
        // Nobody had to be removed because of it.
        assert.equal((await heldBy(app.client, source)).version, version);
      }
      assert.equal((await historyOf(handle)).length, length);
    });
  }
});

describe('A workflow that is stopped', { concurrency: true, timeout: 900_000 }, () => {
  const places: readonly Place[] = ['nextEvent', 'nextEvent with a timeout', 'events', 'sleep'];
  for (const place of places) {
    test(`T17: in ${place} ends at once, and its code does not go on`, async () => {
      const source = aSource();
      const handle = await startSubscribed('stayIn', source, place);
      const ended = await endAtOnce(handle, () => handle.cancel());
      assert.ok(ended.cause instanceof CancelledFailure);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      const history = await historyOf(handle);
      assert.equal(count(history, 'workflow_execution_cancel_requested'), 1);
      assert.equal(history.at(-1), 'workflow_execution_canceled');
      assert.equal(count(history, 'timer_fired'), 0);
      assert.deepEqual((await heldBy(app.client, source)).subscriptions, []);
    });

    test(`T18: by force in ${place} ends at once, and no event is for it any more`, async () => {
      const source = aSource();
      const handle = await startSubscribed('stayIn', source, place);
      const other = await startSubscribed('takeMany', source, 1);
      const ended = await endAtOnce(handle, () => handle.terminate('on purpose'));
      assert.ok(ended.cause instanceof TerminatedFailure);
      assert.equal((await handle.describe()).status.name, 'TERMINATED');
      const { length } = await historyOf(handle);
      assert.equal((await deliver(app, source, {}, 'late')).status, 202);
      assert.equal((await historyOf(handle)).length, length);
      await goOn(other);
      assert.equal(await other.result(), 1);
    });
  }

  test('T18: that is not there is an error for who stops it, and one that has ended stays ended', async () => {
    const nobody = app.client.workflow.getHandle(`nobody-${randomUUID()}`);
    await assert.rejects(nobody.cancel(), WorkflowNotFoundError);
    await assert.rejects(nobody.terminate(), WorkflowNotFoundError);
    const handle = await startSubscribed('endBy', [aSource()], 'return');
    await goOn(handle);
    await handle.result();
    await assert.rejects(handle.terminate(), WorkflowNotFoundError);
    // Who cancels it is content that it has ended.
    await handle.cancel();
    assert.equal((await handle.describe()).status.name, 'COMPLETED');
  });

  test('T18: twice, then by force, has ended and stays as it ended', async () => {
    const source = aSource();
    const handle = await startSubscribed('refuseToStop', source);
    await handle.cancel();
    await handle.cancel();
    await deliver(app, source, {}, 'while it refuses');
    await untilReceived(handle, 1);
    assert.equal((await handle.describe()).status.name, 'RUNNING');
    const ended = await endAtOnce(handle, () => handle.terminate());
    assert.ok(ended.cause instanceof TerminatedFailure);
  });
});

// Both at once, because what a killed worker leaves behind takes Temporal ten seconds to miss.
describe('A project', { concurrency: true, timeout: 900_000 }, () => {
  describe('whose processes end', { concurrency: 1 }, () => {
    let theirServer: TestServer;
    let worker: TestProcess;
    let ingress: TestProcess;
    before(async () => {
      theirServer = await startServer();
      [worker, ingress] = await Promise.all([start('worker'), start('ingress')]);
    });
    after(async () => {
      await Promise.all([worker?.kill(), ingress?.kill()]);
      await theirServer?.stop();
    });

    test('D12: loses, repeats and swaps nothing when its worker is killed before a wait, in it, and between an event and its return', async () => {
      const asked = await listenForQuestions();
      const looking = await startIt('lookWhenTold', 'killed');
      const waiting = await startIt('waitUntilEnd', 'killed');
      const between = await startIt('askWhenGiven', 'killed', asked.url);
      const ids = Array.from({ length: 8 }, (_, index) => `e${index}`);
      for (const id of ids.slice(0, 3)) await send('killed', id);
      // The task that gave it the first event is not done, and never will be by this worker.
      await until('it asks', () => asked.count() === 1);
      await untilReceived(waiting, 3);
      await worker.kill();
      for (const id of ids.slice(3, 6)) await send('killed', id);
      asked.answer();
      worker = await start('worker');
      await untilReceived(waiting, 6);
      for (const id of [...ids.slice(6), 'end']) await send('killed', id);
      await goOn(looking);
      for (const handle of [looking, waiting, between]) {
        assert.deepEqual(await receivedAtEnd(handle), ids);
      }
      assert.ok(asked.count() >= 2, 'the task was not done again');
      await asked.close();
    });

    test('D13: dispatches what its ingress had accepted and was killed before it was dispatched', async () => {
      const waiting = await startIt('waitUntilEnd', 'accepted');
      await end(worker);
      // A change that nobody takes up: events go to the backlog until a worker is there.
      await new PatientSource(theirServer.client).unregister('accepted', [randomUUID()]);
      const ids = ['one', 'two', 'three'];
      for (const id of ids) {
        const posted = await send('accepted', id);
        assert.deepEqual([posted.status, posted.queued], [202, true]);
      }
      await ingress.kill();
      worker = await start('worker');
      await untilReceived(waiting, ids.length);
      ingress = await start('ingress');
      await send('accepted', 'end');
      assert.deepEqual(await receivedAtEnd(waiting), ids);
    });

    test('D13: has an event once whose ingress was killed before it answered, when its sender tries again', async () => {
      const waiting = await startIt('waitUntilEnd', 'answered');
      await send('answered', 'one');
      const { pid } = theirServer.temporal;
      process.kill(pid, 'SIGSTOP');
      try {
        const unanswered = post(ingress.url, { source: 'answered', body: {}, id: 'two' });
        // It takes requests, so it has taken that one too.
        for (let time = 0; time < 3; time += 1) {
          await (await fetch(`${ingress.url}/healthz`)).text();
        }
        await Promise.all([assert.rejects(unanswered), ingress.kill()]);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      ingress = await start('ingress');
      for (const id of ['two', 'three', 'end']) await send('answered', id);
      assert.deepEqual(await receivedAtEnd(waiting), ['one', 'two', 'three']);
      for (const id of ['one', 'two', 'three']) {
        const started = theirServer.client.workflow.getHandle(`on-answered/${id}`);
        assert.equal(await resultOf(started), id);
      }
    });

    async function startIt(workflow: string, ...args: unknown[]): Promise<WorkflowHandle> {
      const handle = await startDeployed(theirServer, workflow, ...args);
      await untilSubscribed(handle, 1);
      return handle;
    }

    function send(source: string, id: string): Promise<Posted> {
      return postUntilAccepted([ingress.url], { source, body: {}, id });
    }

    function start(kind: 'worker' | 'ingress'): Promise<TestProcess> {
      return startDeployment(theirServer, kind, 'deployed');
    }
  });

  describe('that is deployed anew while workflows wait', { concurrency: 1 }, () => {
    let theirServer: TestServer;
    let running: Deployment;
    const waiting = new Map<string, WorkflowHandle>();
    before(async () => {
      theirServer = await startServer();
      running = await deploy(theirServer, 'deployed');
      const inputs: ReadonlyArray<readonly [name: string, workflow: string, sources: string[]]> = [
        ['going on', 'outliveDeployment', ['kept']],
        ['told', 'outliveSource', ['removed', 'also-kept']],
        ['cancelled', 'outliveDeployment', ['removed']],
        ['ending', 'holdUntilTold', ['ended-removed', 'ended-kept']],
        ['coming back', 'outliveDeployment', ['removed']],
      ];
      for (const [name, workflow, sources] of inputs) {
        const handle = await startDeployed(theirServer, workflow, sources);
        await untilSubscribed(handle, sources.length);
        waiting.set(name, handle);
      }
      await send('kept', 'old');
      await untilReceived(handleOf('going on'), 1);
      await running.stop();
      running = await deploy(theirServer, 'redeployed');
    });
    after(async () => {
      await running?.stop();
      await theirServer?.stop();
    });

    describe('its processes', { concurrency: true }, () => {
      test('D23: goes on with its new code, where it was', async () => {
        await send('kept', 'new');
        await send('kept', 'end');
        const handle = handleOf('going on');
        assert.deepEqual(await resultOf(handle), ['new: old', 'new: new']);
        assert.deepEqual(await receivedAtEnd(handle), ['old', 'new', 'end']);
        const added = await startDeployed(theirServer, 'outliveDeployment', ['added']);
        await untilSubscribed(added, 1);
        await send('added', 'one');
        await send('added', 'end');
        assert.deepEqual(await resultOf(added), ['new: one']);
      });

      test('D23: answers 404 for a source that it has no more, and says so to who subscribes', async () => {
        const { status } = await post(running.url, { source: 'removed', body: {} });
        assert.equal(status, 404);
        const handle = handleOf('told');
        await goOn(handle);
        await send('also-kept', 'after all');
        const { subscribed } = await untilSubscribed(handle, 3);
        assert.equal(subscribed.at(-1), 'unsubscribed');
        await goOn(handle);
        assert.deepEqual(await resultOf(handle), [
          // It waited in vain for as long as it was told to; the other source still counts.
          'none',
          'after all',
          'UnknownSourceError',
          'none',
          'UnknownSubscriptionError',
        ]);
      });

      test('D23: ends at once what waits for a source that it has no more, when that is stopped', async () => {
        const handle = handleOf('cancelled');
        await handle.cancel();
        await assert.rejects(resultOf(handle), WorkflowFailedError);
        // Its end reaches the source at once, and is not tried in vain until its time is over.
        const waits = (await historyOf(handle)).filter((kind) => /^(activity|timer)_/.test(kind));
        assert.deepEqual(waits, [
          'activity_task_scheduled',
          'activity_task_started',
          'activity_task_completed',
        ]);
      });

      test('D23: leaves nothing in the sources of a workflow, one of which it has no more', async () => {
        const handle = handleOf('ending');
        await goOn(handle);
        await resultOf(handle);
        for (const source of ['ended-kept', 'ended-removed']) {
          await until(`${source} holds nothing`, async () => {
            const held = await heldBy(theirServer.client, source).catch(() => undefined);
            return held?.subscriptions.length === 0;
          });
        }
      });
    });

    test('D23: wakes what waits for a source that it had no more, when that is back', async () => {
      await running.stop();
      running = await deploy(theirServer, 'deployed');
      await send('removed', 'back');
      await send('removed', 'end');
      assert.deepEqual(await resultOf(handleOf('coming back')), ['old: back']);
    });

    function handleOf(name: string): WorkflowHandle {
      const handle = waiting.get(name);
      assert.ok(handle);
      return handle;
    }

    function send(source: string, id: string): Promise<Posted> {
      return postUntilAccepted([running.url], { source, body: {}, id });
    }
  });
});

type Deployed = 'deployed' | 'redeployed';

/** A worker and an ingress, as processes. */
interface Deployment {
  readonly url: string;
  /** Ends both in order, as a deploy does. */
  stop(): Promise<void>;
}

async function deploy(of: TestServer, config: Deployed): Promise<Deployment> {
  const kinds = ['worker', 'ingress'] as const;
  const processes = await Promise.all(kinds.map((kind) => startDeployment(of, kind, config)));
  return {
    url: processes[1]?.url ?? '',
    async stop() {
      await Promise.all(processes.map(end));
    },
  };
}

/** Ends a process in order. */
async function end({ child }: TestProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

function startDeployment(
  { address }: TestServer,
  kind: 'worker' | 'ingress',
  config: Deployed,
): Promise<TestProcess> {
  return startProcess(kind, {
    TEMPORAL_ADDRESS: address,
    NEXTEVENT_CONFIG: fileURLToPath(new URL(`${config}.config.ts`, import.meta.url)),
  });
}

function startDeployed(
  { client }: TestServer,
  workflow: string,
  ...args: unknown[]
): Promise<WorkflowHandle> {
  const workflowId = `${workflow}-${randomUUID()}`;
  return client.workflow.start(workflow, { workflowId, taskQueue: 'deployed', args });
}

/** What a workflow had received when it ended. */
async function receivedAtEnd(handle: WorkflowHandle): Promise<string[]> {
  await resultOf(handle);
  return (await progressOf(handle)).received.map(({ id }) => id);
}

/** Somebody whom activities ask, and who does not answer until told to. */
async function listenForQuestions() {
  let isAnswering = false;
  let questions = 0;
  const waiting: Array<() => void> = [];
  const listener = createServer((_request, response) => {
    questions += 1;
    if (isAnswering) response.end();
    else waiting.push(() => response.end());
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    count: () => questions,
    answer() {
      isAnswering = true;
      for (const respond of waiting) respond();
    },
    async close() {
      listener.closeAllConnections();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** Runs it as T1 says: a, b and c are posted, and d after it has waited for it in vain. */
async function runTwoWebhooks(
  of: TestApp,
  input: Pick<TwoWebhooks, 'filter' | 'within'>,
  [one, two]: readonly [string, string] = [aSource(), aSource()],
): Promise<{ readonly lines: string[]; readonly paths: string[] }> {
  const handle = startedBy(of, 'on-start', await deliver(of, 'start', { ...input, one, two }));
  await untilSubscribed(handle, 2);
  const paths = (await handle.query(linesQuery)).slice(0, 2);
  const [toOne = '', toTwo = ''] = paths.map((path) => path.replace('/webhooks/', ''));
  await deliver(of, toOne, {}, 'a');
  await deliver(of, toTwo, {}, 'b');
  await deliver(of, toTwo, {}, 'c');
  await goOn(handle);
  await untilReceived(handle, 3);
  await deliver(of, toOne, {}, 'd');
  await goOn(handle);
  const lines = (await handle.result()) as string[];
  assert.equal((await handle.describe()).status.name, 'COMPLETED');
  return { lines, paths };
}

async function startSubscribed(workflow: string, ...args: unknown[]): Promise<WorkflowHandle> {
  const handle = await app.start(workflow, ...args);
  await untilSubscribed(handle, workflow === 'stayIn' ? 2 : 1);
  return handle;
}

/** Stops it, and gives the failure that it ended with, which must be there soon. */
async function endAtOnce(
  handle: WorkflowHandle,
  stop: () => Promise<unknown>,
): Promise<WorkflowFailedError> {
  const stoppedAt = Date.now();
  await stop();
  const failure: unknown = await handle.result().catch((error: unknown) => error);
  const tookMs = Date.now() - stoppedAt;
  assert.ok(tookMs < AT_ONCE_MS_MAX, `it took ${tookMs} ms`);
  assert.ok(failure instanceof WorkflowFailedError, String(failure));
  return failure;
}

function aSource(): string {
  const source = unused.pop();
  assert.ok(source, 'there are more tests than sources');
  return source;
}

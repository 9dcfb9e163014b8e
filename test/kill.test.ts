// Processes that die at the worst moment, and what has become of the events then. Senders
// try again, with the same id, what was not acknowledged; every acknowledged event must then
// have come exactly once to every subscription that matches it, in the order of its sender.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { WorkflowHandle } from '@temporalio/client';

import {
  post,
  postUntilAccepted,
  startProcess,
  until,
  untilReceived,
  untilSubscribed,
  type TestProcess,
} from './harness.ts';
import { startRestartableServer, type RestartableServer } from './restartable.ts';
import type { Received } from './workflows/listening.ts';

const SENDERS = 8;
const EVENTS_PER_SENDER = 12;

describe('when a process is killed', () => {
  let server: RestartableServer;
  let worker: TestProcess;
  let ingress: TestProcess;
  /** What has become of the requests of senders: some never got an answer, or were to come again. */
  const outcomes = { accepted: 0, cut: 0, refused: 0 };

  before(async () => {
    server = await startRestartableServer();
    worker = await start('worker');
    ingress = await start('ingress');
  });

  after(async () => {
    await ingress?.kill();
    await worker?.kill();
    await server?.stop();
  });

  test('a worker that dies before, in and after a wait loses and repeats nothing', async () => {
    const collector = await startCollector('worker');
    await worker.kill();
    // Matched while no worker is there.
    const sent = await sendAll('worker', ['a0', 'a1']);
    worker = await start('worker');
    await untilReceived(collector, 2 * sent.length);
    // Killed the moment an event is acknowledged: between the match and its return.
    for (const round of ['b', 'c', 'd']) {
      sent.push(...(await sendAll('worker', [`${round}0`, `${round}1`])));
      await worker.kill();
      sent.push(...(await sendAll('worker', [`${round}2`])));
      worker = await start('worker');
    }
    sent.push(...(await sendAll('worker', ['e0'])));
    await postUntilAccepted([ingress.url], { source: 'worker', body: {}, id: 'end' });
    assertEachOnceInOrder(await collector.result(), [sent]);
  });

  test('an ingress that dies between request and answer loses and repeats nothing', async () => {
    const collector = await startCollector('ingress');
    outcomes.cut = 0;
    const sending = sendFromMany('ingress');
    for (let kills = 0; kills < 3; kills += 1) {
      await untilAccepted(SENDERS);
      await ingress.kill();
      ingress = await start('ingress');
    }
    const sent = await sending;
    assert.ok(outcomes.cut > 0, 'no request was in flight when an ingress was killed');
    await postUntilAccepted([ingress.url], { source: 'ingress', body: {}, id: 'end' });
    assertEachOnceInOrder(await collector.result(), sent);
    await assertEachStarted('on-ingress', sent);
  });

  test('a Temporal server that dies while requests come loses and repeats nothing', async () => {
    const collector = await startCollector('server');
    const sending = sendFromMany('server');
    for (let kills = 0; kills < 2; kills += 1) {
      await untilAccepted(SENDERS);
      const { refused } = outcomes;
      await server.kill();
      await until('a request is refused', () => outcomes.refused > refused);
      await server.startAgain();
    }
    const sent = await sending;
    await postUntilAccepted([ingress.url], { source: 'server', body: {}, id: 'end' });
    assertEachOnceInOrder(await collector.result(), sent);
    await assertEachStarted('on-server', sent);
  });

  async function assertEachStarted(trigger: string, sent: readonly string[][]): Promise<void> {
    for (const id of sent.flat()) {
      const started = server.client.workflow.getHandle(`${trigger}/${id}`);
      assert.equal(await started.result(), id);
    }
  }

  /** A workflow with two subscriptions that want every event of the source, and one that wants none. */
  async function startCollector(source: string): Promise<WorkflowHandle> {
    const collector = await server.client.workflow.start('collect', {
      workflowId: `collect-${randomUUID()}`,
      taskQueue: 'kill',
      args: [
        {
          subscriptions: [
            [source, ''],
            [source, "event_type == 'post'"],
            [source, "event_type == 'put'"],
          ],
        },
      ],
    });
    await untilSubscribed(collector, 3);
    return collector;
  }

  /** Waits until so many more are accepted: there are many more to come. */
  async function untilAccepted(more: number): Promise<void> {
    const goal = outcomes.accepted + more;
    await until(`${more} more are accepted`, () => outcomes.accepted >= goal);
  }

  /** Sends one after the other. Returns the ids. */
  async function sendAll(source: string, ids: string[]): Promise<string[]> {
    for (const id of ids) {
      await until(`${id} is accepted`, async () => {
        try {
          const { status } = await post(ingress.url, { source, body: { id }, id });
          if (status === 503) outcomes.refused += 1;
          if (status === 202) outcomes.accepted += 1;
          return status === 202;
        } catch (error) {
          if (!isRefused(error)) outcomes.cut += 1;
          return false;
        }
      });
    }
    return ids;
  }

  function sendFromMany(source: string): Promise<string[][]> {
    return Promise.all(
      Array.from({ length: SENDERS }, (_, sender) =>
        sendAll(
          source,
          Array.from({ length: EVENTS_PER_SENDER }, (_event, index) => `s${sender}-${index}`),
        ),
      ),
    );
  }

  function start(kind: 'worker' | 'ingress'): Promise<TestProcess> {
    return startProcess(kind, {
      TEMPORAL_ADDRESS: server.address,
      NEXTEVENT_CONFIG: fileURLToPath(new URL('kill.config.ts', import.meta.url)),
    });
  }
});

/** Whether nobody listened: no other failure to connect is as sure that nothing was sent. */
function isRefused(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  return cause?.code === 'ECONNREFUSED';
}

/** Each of the two subscriptions that want all got every event once, those of one sender in its order. */
function assertEachOnceInOrder(received: readonly Received[], sent: readonly string[][]): void {
  const subscriptions = new Set(received.map(({ subscription }) => subscription));
  assert.equal(subscriptions.size, 2);
  for (const subscription of subscriptions) {
    const ids = received.filter((event) => event.subscription === subscription).map(({ id }) => id);
    assert.equal(ids.length, sent.flat().length);
    for (const ofSender of sent) {
      const wanted = new Set(ofSender);
      assert.deepEqual(
        ids.filter((id) => wanted.has(id)),
        ofSender,
      );
    }
  }
}

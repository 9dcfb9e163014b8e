// Listeners that are changed while events come, and while events from before wait: none is missed,
// and none is delivered twice.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ListenerSilentError } from '../dispatch/errors.ts';
import { ListenerCalls } from '../dispatch/listener-calls.ts';
import { changeListenerUpdate, type ListenerInput } from '../workflows/listener-messages.ts';
import { subscriptionsQuery, type HeldDescription } from '../workflows/messages.ts';
import { postUntilAccepted, startApp, startServer, until } from './harness.ts';
import type { TestApp, TestServer } from './harness.ts';
import { startListener, TO_THIS_MACHINE, untilWithdrawn, type TestListener } from './listeners.ts';
import { deliver } from './observe.ts';
import { Receiver } from './receiving.ts';

/** Both want every event of this test. */
const FILTERS = ['data.body.json.n >= 0', 'data.body.json.n < 1000000'] as const;

/** How many senders post at once, for so many changes after what it had at first has ended. */
const SENDERS = 2;
const CHANGES = 10;

/** How many each of them posts at the most: on a slow machine nobody keeps up with more. */
const EVENTS_MAX = 100;

const SOURCES = ['steady', 'waiting', 'retired', 'late', 'many'];

describe('a listener that is changed', () => {
  let server: TestServer;
  let app: TestApp;

  before(async () => {
    server = await startServer();
    app = await startApp(server, { sources: SOURCES, outbound: TO_THIS_MACHINE });
  });

  after(async () => {
    await app?.stop();
    await server?.stop();
  });

  test('while events come, again and again, gets each of them once', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, 'steady', { historyEventsMax: 300 });
    const calls = new ListenerCalls(app.client);
    const other = await app.startIngress();
    const urls = [app.ingress.url, other.url];
    const changed = new AbortController();
    const senders = Array.from({ length: SENDERS }, async (_, sender) => {
      let n = 0;
      for (; n < EVENTS_MAX && !changed.signal.aborted; n += 1) {
        // Each by another way than the one before.
        const way = n % 2 === 0 ? urls : urls.toReversed();
        await postUntilAccepted(way, { source: 'steady', body: { n }, id: `s${sender}-${n}` });
      }
      return n;
    });
    const [first] = await heldBy(listener);
    assert.ok(first);
    const { runId } = await listener.handle.describe();
    // Until some of what it had before has ended, while other things begin.
    let left = CHANGES;
    try {
      for (let change = 1; left > 0; change += 1) {
        const definition = { ...listener.definition, filter: FILTERS[change % 2] ?? '' };
        await until('it is changed', () =>
          calls.update(listener.id, changeListenerUpdate, [definition, undefined]).catch(ifSilent),
        );
        if (!(await heldBy(listener)).some(({ id }) => id === first.id)) left -= 1;
      }
    } finally {
      changed.abort();
    }
    const posted = (await Promise.all(senders)).reduce((sum, each) => sum + each, 0);
    await untilAllDelivered(listener, posted);
    assert.equal(new Set(receiver.ids).size, posted);
    assert.notEqual((await listener.handle.describe()).runId, runId);
  });

  test('while a backlog waits gets what is in it, by what it wanted when that came', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, 'waiting');
    await app.stopWorker();
    await sendToBacklog('waiting', 60);
    const changing = listener.change({ filter: 'data.body.json.n >= 100' });
    await app.startWorker();
    await changing;
    await untilWithdrawn(listener.handle);
    await deliver(app, 'waiting', { n: 99 }, 'w99');
    await deliver(app, 'waiting', { n: 100 }, 'w100');
    await untilAllDelivered(listener, 61);
    const ids = Array.from({ length: 60 }, (_, n) => `w${n}`);
    assert.deepEqual(receiver.ids.toSorted(), [...ids, 'w100'].toSorted());
  });

  test('and has retired, gets what is in the backlog from before, and nothing else', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, 'retired');
    await app.stopWorker();
    await sendToBacklog('retired', 60);
    const retiring = listener.retire('taken out');
    await app.startWorker();
    await retiring;
    await untilWithdrawn(listener.handle);
    await deliver(app, 'retired', { n: 60 }, 'w60');
    await untilAllDelivered(listener, 60);
    await deliver(app, 'retired', { n: 61 }, 'w61');
    const { deliveries, status, isRetired } = await listener.view();
    assert.deepEqual([deliveries, status, isRetired], [60, 'inactive', true]);
    assert.ok(!receiver.ids.includes('w60') && !receiver.ids.includes('w61'));
  });

  test('ends what it had before once nothing of it can come any more', async () => {
    await using receiver = await Receiver.start();
    const listener = await listening(receiver, 'late');
    await listener.change({ filter: FILTERS[1] });
    await listener.change({ sources: ['late', 'many'], filter: FILTERS[1] });
    await until('the one from before has ended', async () => {
      return (await heldBy(listener)).length === 2;
    });
    await deliver(app, 'late', { n: 1 }, 'once');
    await untilAllDelivered(listener, 1);
    assert.deepEqual(receiver.ids, ['once']);
  });

  function listening(
    { url }: Receiver,
    source: string,
    input: Partial<ListenerInput> = {},
  ): Promise<TestListener> {
    const wanted = { sources: [source], filter: FILTERS[0], url, timeoutMs: 60_000 };
    return startListener(app, wanted, input);
  }

  /** There is no worker. */
  async function sendToBacklog(source: string, count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const { queued } = await postUntilAccepted([app.ingress.url], {
        source,
        body: { n },
        id: `w${n}`,
      });
      assert.equal(queued, true);
    }
  }
});

/** While its tasks fail, because more comes than it can continue as new before, it answers nothing. */
function heldBy({ handle }: TestListener): Promise<readonly HeldDescription[]> {
  return until('it says what it holds', () =>
    handle.query(subscriptionsQuery).catch(() => undefined),
  );
}

/** A slow machine may take longer for it than whoever asks waits. */
function ifSilent(error: Error): undefined {
  if (!(error instanceof ListenerSilentError)) throw error;
}

/** Each delivery has a number: what is taken twice has two. */
async function untilAllDelivered(listener: TestListener, count: number): Promise<void> {
  const { deliveries } = await until(`${count} events are delivered`, async () => {
    const view = await listener.view().catch(() => undefined);
    return view && view.deliveries >= count && view.pending === 0 && view;
  });
  assert.equal(deliveries, count);
}

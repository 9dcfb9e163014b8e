// A subscription that its workflow registers again, after a reset or in its next run, while an
// event is on its way that was matched before.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { MockActivityEnvironment } from '@temporalio/testing';

import { createBacklogActivities } from '../activities/backlog.ts';
import { Lanes } from '../dispatch/lanes.ts';
import type { Registration } from '../events/subscription.ts';
import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { heldBy, untilKnown } from './observe.ts';
import { dispatcherWith, eventOf, troubled, UnregisteringSource } from './trouble.ts';

const SOURCES = ['reset', 'reset-backlog'] as const;

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: SOURCES });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('A subscription that is registered again', { timeout: 300_000 }, () => {
  test('after an event found that its workflow was gone, and before that is told, stays', async () => {
    const source = 'reset';
    const sources = await sourcesFor(source);
    let ghosts: readonly Registration[] = [];
    const dispatcher = dispatcherWith(app.client, source, {
      sources,
      before: (workflowId) => registerAgain(sources, source, { ghosts, workflowId }),
    });
    try {
      await until('an event finds that they are gone, and is not queued', async () => {
        ghosts = twoGhosts();
        await sources.register(source, { registrations: ghosts });
        await untilKnown(app, source, () => dispatcher.subscriptions());
        const { queued } = await dispatcher.dispatch(eventOf(source, randomUUID()));
        await sources.untilUnregistered();
        // On a machine that is too busy to read the source in time.
        if (queued)
          await sources.unregister(
            source,
            ghosts.map(({ id }) => id),
          );
        return !queued;
      });
      assert.deepEqual(await heldIdsOf(source), [ghosts[0]?.id]);
    } finally {
      await dispatcher.close();
    }
  });

  test('... also if the event came by way of the backlog', async () => {
    const source = 'reset-backlog';
    const sources = await sourcesFor(source);
    const ghosts = twoGhosts();
    await sources.register(source, { registrations: ghosts });
    await untilKnown(app, source);
    const event = eventOf(source, randomUUID());
    const stored = await sources.storeEvents([event]);
    const before = (workflowId: string): Promise<void> =>
      registerAgain(sources, source, { ghosts, workflowId });
    const { nexteventDispatchBacklog } = createBacklogActivities({
      client: sources,
      lanes: new Lanes(troubled(app.client, { before }), Number.POSITIVE_INFINITY),
    });
    const entries = [{ eventId: event.id, ...stored, after: 0, place: ghosts.length }];
    await new MockActivityEnvironment().run(nexteventDispatchBacklog, { source, entries });
    await sources.untilUnregistered();
    assert.deepEqual(await heldIdsOf(source), [ghosts[0]?.id]);
  });
});

/** Who has seen that there is no such source may start it: it looks for nothing that was before. */
async function sourcesFor(source: string): Promise<UnregisteringSource> {
  const sources = new UnregisteringSource(app.client);
  assert.equal(await sources.describe(source), undefined);
  return sources;
}

/** Of workflows that are not there. */
function twoGhosts(): readonly Registration[] {
  return Array.from({ length: 2 }, () => {
    const id = randomUUID();
    return { id, filter: '', workflowId: `ghost ${id}`, firstRunId: id };
  });
}

/** When it comes to the second of them, the first is there again. */
async function registerAgain(
  sources: UnregisteringSource,
  source: string,
  { ghosts, workflowId }: { ghosts: readonly Registration[]; workflowId: string },
): Promise<void> {
  const [first, second] = ghosts;
  if (first === undefined || second?.workflowId !== workflowId) return;
  await sources.register(source, { registrations: [first], again: true });
}

async function heldIdsOf(source: string): Promise<string[]> {
  return (await heldBy(app.client, source)).subscriptions.map(({ id }) => id);
}

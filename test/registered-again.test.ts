// A subscription that its workflow registers again, after a reset or in its next run, while an
// event is on its way that was matched before.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { MockActivityEnvironment } from '@temporalio/testing';

import { createBacklogActivities, type BacklogRequest } from '../activities/backlog.ts';
import { LEAVE_MS } from '../dispatch/backlog.ts';
import { Lanes } from '../dispatch/lanes.ts';
import type { SourceClient } from '../dispatch/source-client.ts';
import type { Registration } from '../events/subscription.ts';
import { sourceWorkflowId } from '../workflows/messages.ts';
import {
  startApp,
  startServer,
  until,
  untilReceived,
  type TestApp,
  type TestServer,
} from './harness.ts';
import { heldBy, untilKnown } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import { receivedBy, startCollecting } from './received.ts';
import { dispatcherWith, eventOf, troubled, UnregisteringSource } from './trouble.ts';

const SOURCES = ['reset', 'reset-backlog', 'resumed', 'resumed-backlog'] as const;

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
    const activities = createBacklogActivities({
      client: sources,
      lanes: new Lanes(
        troubled(app.client, {
          before: (workflowId) => registerAgain(sources, source, { ghosts, workflowId }),
        }),
        Number.POSITIVE_INFINITY,
      ),
    });
    const entries = [{ eventId: event.id, ...stored, after: 0, place: ghosts.length }];
    await new MockActivityEnvironment().run(
      (request: BacklogRequest) => activities.nexteventDispatchBacklog(request),
      { source, entries },
    );
    await sources.untilUnregistered();
    assert.deepEqual(await heldIdsOf(source), [ghosts[0]?.id]);
  });

  test('after it was suspended gets what is posted from then on, also with leave', async () => {
    const source = 'resumed';
    const collecting = await startCollecting(app, [[source, '']]);
    const sources = new PatientSource(app.client);
    const dispatcher = dispatcherWith(app.client, source, {});
    try {
      const sent: string[] = [];
      await until('an event has leave of a reading from before that', async () => {
        const registrations = await suspend(sources, source);
        await until('the dispatcher knows', async () => {
          const known = await dispatcher.subscriptions();
          return known?.every(({ suspended }) => suspended);
        });
        const readAt = performance.now();
        await dispatcher.subscriptions();
        await sources.register(source, { registrations, again: true });
        const id = `event ${sent.length}`;
        sent.push(id);
        const hasLeave = performance.now() - readAt < LEAVE_MS;
        const { queued } = await dispatcher.dispatch(eventOf(source, id));
        return hasLeave && !queued;
      });
      await dispatcher.dispatch(eventOf(source, 'end'));
      assert.deepEqual(await receivedBy(collecting), sent);
    } finally {
      await dispatcher.close();
    }
  });

  test('... or by way of the backlog, and nothing twice', async () => {
    const source = 'resumed-backlog';
    const collecting = await startCollecting(app, [[source, '']]);
    const sources = new PatientSource(app.client);
    const put = async (id: string, tried: number): Promise<void> => {
      const event = eventOf(source, id);
      const stored = await sources.storeEvents([event]);
      await sources.accept(source, [
        { eventId: id, ...stored, after: tried, chain: await chainOf(source) },
      ]);
    };
    const registrations = await suspend(sources, source);
    // As of then it was tried with all that got events.
    const { version } = await heldBy(app.client, source);
    await sources.register(source, { registrations, again: true });
    await put('one', version);
    await untilReceived(collecting, 1);
    // It had been signalled before it was suspended, and others had to have it from the backlog.
    await put('one', version - 1);
    // Everybody who gets events has it.
    await put('not for it', (await heldBy(app.client, source)).version);
    await put('end', 0);
    assert.deepEqual(await receivedBy(collecting), ['one']);
  });
});

/** Suspends all that a source holds, and gives it as its workflow would register it again. */
async function suspend(sources: SourceClient, source: string): Promise<readonly Registration[]> {
  const { subscriptions } = await heldBy(app.client, source);
  await sources.suspend(source, { ids: subscriptions.map(({ id }) => id), undeliverable: 0 });
  return subscriptions;
}

async function chainOf(source: string): Promise<string> {
  const { raw } = await app.client.workflow.getHandle(sourceWorkflowId(source)).describe();
  return raw.workflowExecutionInfo?.firstRunId ?? '';
}

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

// Workflows that hold what a source needs, and that somebody deletes, or the server because they
// ended so long ago.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';

import { toFailureKind } from '../dispatch/failures.ts';
import { sourceWorkflowId, storedEventWorkflowId } from '../workflows/messages.ts';
import type { SourceInput } from '../workflows/source-records.ts';
import { startApp, startServer, until, type TestApp, type TestServer } from './harness.ts';
import { heldBy, untilDispatched } from './observe.ts';
import { PatientSource } from './patient-source.ts';
import { receivedBy, startCollecting } from './received.ts';
import { eventOf } from './trouble.ts';

let server: TestServer;
let app: TestApp;
before(async () => {
  server = await startServer();
  app = await startApp(server, { sources: ['bodies', 'forgotten'] });
});
after(async () => {
  await app?.stop();
  await server?.stop();
});

describe('A source', { timeout: 900_000 }, () => {
  test('dispatches an event that is sent again when its first body is deleted', async () => {
    const source = 'bodies';
    const collecting = await startCollecting(app, [[source, '']]);
    const sources = new PatientSource(app.client);
    const put = async (id: string): Promise<{ deleteBody(): Promise<void> }> => {
      const event = eventOf(source, id);
      const stored = await sources.storeEvents([event]);
      await sources.accept(source, [{ eventId: id, ...stored, after: 0 }]);
      const workflowId = stored.storedAmong ?? storedEventWorkflowId(event);
      return { deleteBody: () => deleteWorkflow(workflowId) };
    };
    const first = await put('again');
    await untilDispatched(app, source);
    const later = await startCollecting(app, [[source, '']]);
    await app.stopWorker();
    await put('again');
    const lost = await put('lost');
    await put('after it');
    await first.deleteBody();
    await lost.deleteBody();
    await app.startWorker();
    await put('end');
    assert.deepEqual(await receivedBy(collecting), ['again', 'after it']);
    assert.deepEqual(await receivedBy(later), ['again', 'after it']);
  });

  test('that is terminated and deleted begins anew, and takes events', async () => {
    const source = 'forgotten';
    const sources = new PatientSource(app.client);
    const handle = app.client.workflow.getHandle(sourceWorkflowId(source));
    const forgotten = await startCollecting(app, [[source, '']]);
    await app.stopWorker();
    await handle.terminate();
    // Whoever starts the next run knows that there was one.
    assert.equal((await sources.describe(source))?.isOpen, false);
    const { runId } = await handle.describe();
    const event = eventOf(source, 'meanwhile');
    const stored = await sources.storeEvents([event]);
    await sources.accept(source, [{ eventId: event.id, ...stored, after: 0 }]);
    assert.equal((await inputOf(handle)).previousRunId, runId);
    await deleteWorkflow(handle.workflowId, runId);
    await app.startWorker();
    await until('it has recovered', async () => {
      const described = await sources.describe(source).catch(() => undefined);
      return described?.memo?.recovering === false;
    });
    await untilDispatched(app, source);
    assert.deepEqual((await heldBy(app.client, source)).subscriptions, []);
    const collecting = await startCollecting(app, [[source, '']]);
    for (const id of ['one', 'end']) assert.equal((await app.post(source, {}, id)).status, 202);
    assert.deepEqual(await receivedBy(collecting), ['one']);
    await forgotten.terminate();
  });
});

async function inputOf({ workflowId }: WorkflowHandle): Promise<SourceInput> {
  const { events } = await app.client.workflow.getHandle(workflowId).fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  assert.ok(payload);
  return defaultPayloadConverter.fromPayload(payload);
}

async function deleteWorkflow(workflowId: string, runId?: string): Promise<void> {
  const { workflowService, options } = app.client;
  const handle = app.client.workflow.getHandle(workflowId, runId);
  const workflowExecution = { workflowId, runId: (await handle.describe()).runId };
  await workflowService.deleteWorkflowExecution({
    namespace: options.namespace,
    workflowExecution,
  });
  await until(`${workflowId} is deleted`, async () => {
    try {
      await app.client.workflow.getHandle(workflowId, workflowExecution.runId).fetchHistory();
      return false;
    } catch (error) {
      if (toFailureKind(error) === 'gone') return true;
      throw error;
    }
  });
}

// What a workflow that collects events has collected.

import type { WorkflowHandle } from '@temporalio/client';

import { until, untilSubscribed, type TestApp } from './harness.ts';
import type { Received } from './workflows/listening.ts';

/** Source and filter of each subscription. */
export type Wanted = ReadonlyArray<readonly [source: string, filter: string]>;

/** Starts a workflow that collects events, and waits until it has subscribed. */
export async function startCollecting(
  app: Pick<TestApp, 'start'>,
  subscriptions: Wanted,
): Promise<WorkflowHandle> {
  const handle = await app.start('collect', { subscriptions });
  await untilSubscribed(handle, subscriptions.length);
  return handle;
}

/** The result of a workflow, which must come within the time that a condition may take. */
export async function resultOf<T>(handle: WorkflowHandle): Promise<T> {
  await until(`${handle.workflowId} has ended`, async () => {
    const described = await handle.describe().catch(() => undefined);
    return described !== undefined && described.status.name !== 'RUNNING';
  });
  return (await handle.result()) as T;
}

/** The ids of what a workflow collected before the event that ended it. */
export async function receivedBy(handle: WorkflowHandle): Promise<string[]> {
  const received = await resultOf<Received[]>(handle);
  return received.map(({ id }) => id);
}

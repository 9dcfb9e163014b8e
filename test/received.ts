// What a workflow that collects events has collected.

import {
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
} from '@temporalio/client';

import { until, UNTIL_MS_MAX, untilSubscribed, type TestApp } from './harness.ts';
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
  const deadline = Date.now() + UNTIL_MS_MAX;
  const ended = await until(`${handle.workflowId} has ended`, async () => {
    try {
      // The server answers when it has ended: to look again and again costs what the test needs.
      return { result: await handle.client.withDeadline(deadline, () => handle.result()) };
    } catch (error) {
      // It may not be there yet, nor the server.
      if (error instanceof WorkflowNotFoundError || error instanceof ServiceError) return undefined;
      // A test that is red shows the message, and not what is behind it.
      if (error instanceof WorkflowFailedError) error.message += `: ${error.cause?.message}`;
      throw error;
    }
  });
  return ended.result as T;
}

/** The ids of what a workflow collected before the event that ended it. */
export async function receivedBy(handle: WorkflowHandle): Promise<string[]> {
  const received = await resultOf<Received[]>(handle);
  return received.map(({ id }) => id);
}

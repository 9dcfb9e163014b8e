// Events that come to a workflow in the order, and in the task, that a test wants.

import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';

import { eventSignal } from '../workflows/messages.ts';

/** Signals events as an ingress does, each for the subscription at a place. */
export async function signalEvents(
  handle: WorkflowHandleWithFirstExecutionRunId,
  ids: readonly string[],
  events: ReadonlyArray<readonly [id: string, place: number]>,
): Promise<void> {
  const time = new Date(0).toISOString();
  await handle.signal(eventSignal, {
    to: handle.firstExecutionRunId,
    events: events.map(([id, place]) => ({
      event: { id, source: 'by-hand', type: 'post', time, data: {} },
      subscriptions: [ids[place] ?? ''],
    })),
  });
}

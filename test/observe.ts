// How tests look at what a source holds and at what a workflow's history says.

import type { Client, WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

import type { Subscription } from '../events/subscription.ts';
import { changesQuery, sourceWorkflowId } from '../workflows/messages.ts';
import { goOnSignal } from './workflows/stage.ts';

const { EventType } = proto.temporal.api.enums.v1;

/** Tells a workflow that waits for it to go on. */
export function goOn(handle: WorkflowHandle): Promise<void> {
  return handle.signal(goOnSignal);
}

export interface Held {
  readonly version: number;
  readonly subscriptions: readonly Subscription[];
}

/** What a source holds, as it tells everybody who asks. */
export async function heldBy(client: Client, source: string): Promise<Held> {
  const handle = client.workflow.getHandle(sourceWorkflowId(source));
  const { version, added } = await handle.query(changesQuery, { firstRunId: '', since: 0 });
  return { version, subscriptions: added };
}

/** The kinds of events in the history of a workflow, in order. */
export async function historyOf(handle: WorkflowHandle): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).map(({ eventType }) =>
    (EventType[eventType ?? 0] ?? '').replace('EVENT_TYPE_', '').toLowerCase(),
  );
}

/** How many events of a kind are in the history. */
export function count(history: readonly string[], kind: string): number {
  return history.filter((candidate) => candidate === kind).length;
}

// When listeners have nothing left to deliver.

import { isGrpcServiceError, type Client } from '@temporalio/client';

import { toFailureKind } from '../dispatch/failures.ts';
import type { Inspection } from '../dispatch/inspection.ts';
import { ListenerClient } from '../dispatch/listener-client.ts';
import { listenerWorkflowId } from '../workflows/listener-messages.ts';
import { until, type UntilOptions } from './until.ts';

/** How many subscriptions one look at a source takes. */
const PAGE = 1_000;

/** How long to wait. */
export type WaitForPendingDeliveriesOptions = UntilOptions;

interface Wanted extends UntilOptions {
  /** The id of a listener; all that the sources know if there is none. */
  readonly listener: string | undefined;
}

export interface DeliveriesOf {
  readonly client: Client;
  readonly taskQueue: string;
  readonly inspection: Pick<Inspection, 'source' | 'subscriptions'>;
  readonly sources: readonly string[];
}

/** @throws WaitError once the time is over */
export async function waitForPendingDeliveries(
  { client, taskQueue, inspection, sources }: DeliveriesOf,
  { listener, timeoutMs }: Wanted,
): Promise<void> {
  const listeners = new ListenerClient(client, taskQueue);
  const look = async (): Promise<boolean> => {
    const found = new Set<string>();
    for (const source of sources) {
      const ids = await nowOrLater(listenersOf(inspection, source));
      if (ids === undefined) return false;
      for (const id of ids) found.add(id);
    }
    const asked = listener === undefined ? found : [listener];
    for (const id of asked) {
      const shown = await nowOrLater(listeners.show(id));
      if (shown?.pending !== 0) return false;
    }
    return true;
  };
  const what = listener === undefined ? 'all is delivered' : `${listener} has delivered all`;
  await until(what, look, { timeoutMs });
}

/** `undefined` if Temporal had no time to answer: it is asked again. */
async function nowOrLater<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (isGrpcServiceError(error) && toFailureKind(error) === 'retry') return undefined;
    throw error;
  }
}

/** The listeners that a source knows; `undefined` while it still hands on what has come. */
async function listenersOf(
  inspection: DeliveriesOf['inspection'],
  source: string,
): Promise<readonly string[] | undefined> {
  const { status, backlog, isPending } = await inspection.source(source);
  if (status === 'unused') return [];
  if (backlog > 0 || isPending) return undefined;
  const ids: string[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = await inspection.subscriptions(source, { limit: PAGE, after });
    if (page === undefined) return undefined;
    const prefix = listenerWorkflowId('');
    for (const { workflowId } of page.subscriptions) {
      if (workflowId.startsWith(prefix)) ids.push(workflowId.slice(prefix.length));
    }
    after = page.next;
  }
  return ids;
}

// PUBLIC: how a workflow creates and changes listeners. Part of `nextevent/workflow`.
//
// All of it is ordinary activities: what a workflow has decided is in its history before anything
// is done, and is done once, however often an activity is tried again.

import { ActivityFailure } from '@temporalio/common';
import { getRandomStream, proxyActivities, workflowInfo } from '@temporalio/workflow';

import type { createListenerActivities } from '../activities/listeners.ts';
import type { ListenerOptions } from '../config/outbound.ts';
import { toListenerError } from './errors.ts';

const REASON_DEFAULT = 'Deactivated by a workflow.';

const {
  nexteventCreateListener,
  nexteventChangeListener,
  nexteventActivateListener,
  nexteventDeactivateListener,
  nexteventRemoveListener,
} = proxyActivities<ReturnType<typeof createListenerActivities>>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: 200, maximumInterval: 10_000 },
});

/**
 * Creates a listener: events are delivered to its address until it is removed, whatever becomes of
 * this workflow.
 *
 * Returns once the listener has subscribed: an event that is posted after that, and matches, is
 * delivered. Waits for as long as no worker runs listeners. Is done once, however often it is tried.
 *
 * @returns its id: its name, and after it what tells it from others of that name
 * @throws {@link ListenerError} if the options are wrong, or the configuration has no `outbound`
 *
 * @example
 * const listener = await createListener({
 *   source: 'orders',
 *   filter: cel`data.customer == ${customer}`,
 *   url: 'https://customer.example/hooks',
 *   signing: 'CUSTOMER_KEY',
 * });
 */
export function createListener(options: ListenerOptions): Promise<string> {
  const { workflowId } = workflowInfo();
  // Of a stream of its own, so that it changes no other id of the run.
  const key = `${workflowId} ${getRandomStream('nextevent-listeners').uuid4()}`;
  return throwing(() => nexteventCreateListener({ options, key }));
}

/**
 * Changes what is given of a listener, from its next attempt on. The rest stays.
 *
 * @returns whether it was otherwise before
 * @throws {@link ListenerError} if the options are wrong
 * @throws {@link UnknownListenerError} if there is no such listener
 * @throws {@link ListenerConflictError} if it is removed, or the configuration has it
 *
 * @example
 * await changeListener(listener, { url: 'https://customer.example/v2/hooks' });
 */
export function changeListener(id: string, options: Partial<ListenerOptions>): Promise<boolean> {
  return throwing(() => nexteventChangeListener(id, options));
}

/**
 * Activates a listener: what is pending goes on. What came while it was inactive was skipped, and
 * stays so.
 *
 * @returns whether it was inactive
 * @throws {@link UnknownListenerError} if there is no such listener
 * @throws {@link ListenerConflictError} if it is removed
 *
 * @example
 * await activateListener(listener);
 */
export function activateListener(id: string): Promise<boolean> {
  return throwing(() => nexteventActivateListener(id));
}

/**
 * Deactivates a listener: what is pending waits, and what comes is recorded as skipped.
 *
 * @param reason - what it shows
 * @returns whether it was active
 * @throws {@link UnknownListenerError} if there is no such listener
 * @throws {@link ListenerConflictError} if it is removed
 *
 * @example
 * await deactivateListener(listener, 'the customer has not paid');
 */
export function deactivateListener(id: string, reason = REASON_DEFAULT): Promise<boolean> {
  return throwing(() => nexteventDeactivateListener(id, reason));
}

/**
 * Removes a listener for good: what is pending fails. What was delivered stays on record.
 *
 * @returns whether it was there; `false` if it was removed before
 * @throws {@link UnknownListenerError} if there never was such a listener
 * @throws {@link ListenerConflictError} if the configuration has it
 *
 * @example
 * await removeListener(listener);
 */
export function removeListener(id: string): Promise<boolean> {
  return throwing(() => nexteventRemoveListener(id));
}

/** The failure of an activity as the error that its type names. */
async function throwing<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toListenerError(error instanceof ActivityFailure ? error.cause : error) ?? error;
  }
}

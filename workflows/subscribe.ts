// PUBLIC: what a workflow imports from `nextevent/workflow`.

import { ActivityFailure, CancelledFailure, type Duration } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { CancellationScope, isCancellation, patched, workflowInfo } from '@temporalio/workflow';

import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import { deriveEvent } from '../events/webhook-body.ts';
import { currentInbox, currentResponses } from './current-inbox.ts';
import { InvalidArgumentError, toSubscribeError, UnknownSubscriptionError } from './errors.ts';
import { TRIGGER_SUBSCRIPTION } from './inbox.ts';
import type { HttpResponse } from './messages.ts';
import { mintSubscriptionId, register, release, thisRun } from './registration.ts';
import { checkResponse } from './respond.ts';
import { isRunFull } from './run-limits.ts';
import { showSources } from './search-attribute.ts';
import { beginTurns, overflow, settle, wait, type Wait } from './wait.ts';

export type { Event } from '../events/event.ts';
export { spanContextOf, type EventSpanContext } from '../events/trace-context.ts';
export type { SubscriptionId } from '../events/subscription.ts';
export type { WebhookBody, WebhookData } from '../events/webhook-body.ts';
export type { HttpResponse } from './messages.ts';
export { cel, type CelValue } from './cel.ts';
export {
  AmbiguousSourceError,
  FilterError,
  InboxTooLargeError,
  InvalidArgumentError,
  ListenerConflictError,
  ListenerError,
  NoInboxError,
  SourceFullError,
  SubscriptionOverflowError,
  UnindexedFilterQuotaError,
  UnknownListenerError,
  UnknownSourceError,
  UnknownSubscriptionError,
} from './errors.ts';
export type { ListenerOptions } from '../config/outbound.ts';
export {
  activateListener,
  changeListener,
  createListener,
  deactivateListener,
  removeListener,
} from './listeners.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** How `nextEvent` waits. */
export interface NextEventOptions {
  /**
   * How long to wait: a number of milliseconds, or text such as `'30 minutes'`. `0` only
   * looks. A fraction of a millisecond counts as a whole one.
   *
   * @default waits for as long as the workflow runs
   */
  readonly timeout?: Duration | undefined;
}

/**
 * Subscribes the workflow to a source, from this moment on.
 *
 * Returns once the subscription is durable. An event that is posted after that is kept for
 * it, however long it takes until `nextEvent` asks; one that was acknowledged before the call
 * never is, nor one that this workflow had already read or was started by.
 *
 * The subscription lasts until `unsubscribe`, or until the workflow ends. Continue-as-new
 * carries it, with what is unread, to the next run.
 *
 * @param source - the name of a source, or of a trigger, which stands for its source; the
 * trigger's own filter plays no part
 * @param filter - a CEL expression over `event_type`, `data` and `event`; every event if empty
 * @throws {@link UnknownSourceError}, {@link AmbiguousSourceError}, {@link SourceFullError}
 * @throws {@link FilterError} if the filter does not parse or type-check; it names the position
 * @throws {@link UnindexedFilterQuotaError} if every event would have to be held against it, and
 * the source has as many such filters as it can; it says how to write it
 * @throws {@link SubscriptionOverflowError} if the run has taken as many events as it can
 * @throws {@link NoInboxError} outside a workflow, or without the interceptors of this library
 * @throws `CancelledFailure` of Temporal, if its scope is cancelled: then there is no subscription
 *
 * @example
 * const payments = await subscribe('shop', `event_type == 'order.paid'`);
 */
export async function subscribe(source: string, filter = ''): Promise<SubscriptionId> {
  const inbox = currentInbox();
  if (inbox.suspended) throw overflow();
  const id = mintSubscriptionId(source, filter);
  inbox.hold({ id, source, filter, run: thisRun() }, () => patched('early-in-order'));
  try {
    inbox.registered(id, await register({ id, source, filter }));
    showSources(inbox);
  } catch (error) {
    inbox.end(id);
    // A cancelled registration may have been heard; one that was refused was not.
    if (isCancellation(error)) release(inbox);
    else inbox.released([id]);
    // The failure of a local activity comes as it is, but for some that the SDK wraps.
    throw toSubscribeError(error instanceof ActivityFailure ? error.cause : error) ?? error;
  }
  return id;
}

/**
 * Waits for the next event wanted by any of these subscriptions.
 *
 * Events come in the order in which the workflow received them, over all the ids, each one
 * once for each subscription that it matches. An event that arrived before this call is not
 * lost: it has been waiting since `subscribe` returned. Two calls that wait for the same id
 * get different events. Of several calls, one at a time goes on, with the event that arrived first.
 *
 * A call that lost a `Promise.race` still waits, and takes an event that nobody will see: run
 * it in a `CancellationScope` and cancel that.
 *
 * @returns the event, or `undefined` once `timeout` has passed
 * @throws {@link InvalidArgumentError} without ids, for a malformed id, for a negative timeout
 * @throws {@link UnknownSubscriptionError} for an id of another workflow, or that has ended
 * @throws {@link SubscriptionOverflowError} once all is read, if the run has taken as many events
 * as it can: continue as new, best before, when {@link continueAsNewSuggested} says so
 * @throws {@link NoInboxError} outside a workflow, or without the interceptors of this library
 * @throws `CancelledFailure` of Temporal, if its scope is cancelled: then it has taken no event
 *
 * @example
 * const paid = await subscribe('shop', `event_type == 'order.paid'`);
 * const event = await nextEvent(paid, { timeout: '1 day' });
 * if (event === undefined) await cancelOrder(orderId);
 */
export function nextEvent<T = unknown>(...ids: SubscriptionId[]): Promise<Event<T>>;
export function nextEvent<T = unknown>(
  ...args: [...ids: SubscriptionId[], options: NextEventOptions]
): Promise<Event<T> | undefined>;
export async function nextEvent<T = unknown>(
  ...args: Array<SubscriptionId | NextEventOptions>
): Promise<Event<T> | undefined> {
  const inbox = currentInbox();
  const wanted = toWait(args);
  const { ids, timeoutMs } = wanted;
  for (const id of ids) {
    if (inbox.holds(id)) continue;
    throw new UnknownSubscriptionError(
      `${id} is not a subscription of this workflow, or it was unsubscribed`,
    );
  }
  if (CancellationScope.current().consideredCancelled) {
    throw new CancelledFailure('nextEvent was called in a scope that is cancelled');
  }
  if (ids.has(TRIGGER_SUBSCRIPTION)) beginTurns(inbox);
  const taken = inbox.take(ids);
  if (taken === undefined && inbox.suspended) throw overflow();
  const waits = taken === undefined ? timeoutMs !== 0 : !inbox.turns.areOver;
  let event = taken;
  if (waits) event = await wait(inbox, { ...wanted, taken });
  else if (taken && inbox.turns.settle) event = await settle(inbox, wanted, taken);
  else if (taken && inbox.turns.isForEveryone) inbox.turns.handOver();
  if (event === undefined) return undefined;
  inbox.read(event);
  return deriveEvent(event) as Event<T>;
}

/**
 * The events of these subscriptions, one after the other, for `for await`. Ends when `timeout`
 * passes without one; without `timeout` it never ends by itself.
 *
 * @throws what {@link nextEvent} throws
 *
 * @example
 * for await (const event of events(orders, { timeout: '1 hour' })) {
 *   await handle(event.data);
 * }
 */
export async function* events<T = unknown>(
  ...args: [...ids: SubscriptionId[]] | [...ids: SubscriptionId[], options: NextEventOptions]
): AsyncGenerator<Event<T>, void, void> {
  for (;;) {
    const event = await nextEvent<T>(...(args as [...SubscriptionId[], NextEventOptions]));
    if (event === undefined) return;
    yield event;
  }
}

/**
 * The subscription that the workflow's trigger feeds: with `workflowId` in its configuration, the
 * events after the one that started the workflow come to it, for as long as it runs.
 *
 * Every workflow holds it from its start, and can not end it; continue-as-new carries it, with what
 * is unread. The workflow that returns while some of its events are unread is started again with
 * the oldest of them, as a new run, which has the others: as if they had come a moment later.
 *
 * @throws {@link NoInboxError} outside a workflow, or without the interceptors of this library
 *
 * @example
 * const orders = triggerSubscription();
 * for await (const order of events(orders, { timeout: '1 hour' })) await handle(order);
 */
export function triggerSubscription(): SubscriptionId {
  currentInbox();
  return TRIGGER_SUBSCRIPTION;
}

/**
 * Ends a subscription and drops what is queued for it. Ending it again does nothing.
 *
 * @throws {@link InvalidArgumentError} for a malformed id, and for that of `triggerSubscription`
 * @throws {@link NoInboxError} outside a workflow, or without the interceptors of this library
 *
 * @example
 * await unsubscribe(payments);
 */
export async function unsubscribe(id: SubscriptionId): Promise<void> {
  const inbox = currentInbox();
  assertSubscriptionId(id);
  if (id === TRIGGER_SUBSCRIPTION) {
    throw new InvalidArgumentError('what the trigger brings can not be unsubscribed from');
  }
  if (!inbox.holds(id)) return;
  inbox.end(id);
  release(inbox);
  showSources(inbox);
}

/**
 * Answers the request whose event started this workflow, if its trigger has `respond`: the sender
 * waits for it. Works at any time in the workflow, also after later events, and in a run after
 * continue-as-new. Once for each event; the sender that repeats a request gets the same answer.
 *
 * @param response - its status, headers and body; with none of them the sender gets 204
 * @param event - the event that is answered, where the trigger feeds the workflow with several;
 * by default the one that started it
 * @throws {@link InvalidArgumentError} if the event was answered already, if no event started the
 * workflow, or for a response that can not be sent: a status that is not from 200 to 599, a header
 * that HTTP does not have or that is the connection's, more than 1 MiB
 *
 * @example
 * const quote = await priceOf(order.data);
 * await respond({ status: 200, body: { quote } });
 */
export async function respond(
  response: HttpResponse = {},
  event?: Pick<Event, 'id'>,
): Promise<void> {
  currentResponses().add(checkResponse(response), event?.id);
}

/**
 * Whether the workflow had better continue as new: Temporal suggests it, or the run has taken
 * half of the signals or bytes that it can. A run that goes on takes no more events at 8,000
 * signals or 35 MiB of history.
 *
 * The next run has the subscriptions of this one, under the same ids: hand these on as arguments, and
 * do not subscribe again, or what comes for the first subscription is never read.
 *
 * @throws {@link NoInboxError} outside a workflow, or without the interceptors of this library
 *
 * @example
 * async function shop(held?: SubscriptionId): Promise<void> {
 *   const orders = held ?? (await subscribe('orders'));
 *   for await (const order of events<Order>(orders)) {
 *     await handle(order.data);
 *     if (continueAsNewSuggested()) await continueAsNew<typeof shop>(orders);
 *   }
 * }
 */
export function continueAsNewSuggested(): boolean {
  return workflowInfo().continueAsNewSuggested || isRunFull(currentInbox(), 0.5);
}

function toWait(args: ReadonlyArray<SubscriptionId | NextEventOptions>): Wait {
  const last = args.at(-1);
  const isOptions = typeof last === 'object' && last !== null && !Array.isArray(last);
  const options = isOptions ? last : undefined;
  const ids = options === undefined ? args : args.slice(0, -1);
  if (ids.length === 0) throw new InvalidArgumentError('nextEvent needs a subscription id');
  for (const id of ids) assertSubscriptionId(id);
  return {
    ids: new Set(ids as SubscriptionId[]),
    timeoutMs: options?.timeout === undefined ? undefined : toTimeoutMs(options.timeout),
    timeout: options?.timeout,
  };
}

function assertSubscriptionId(id: unknown): asserts id is SubscriptionId {
  if (typeof id === 'string' && UUID.test(id)) return;
  throw new InvalidArgumentError(`${JSON.stringify(id)} is not a subscription id`);
}

function toTimeoutMs(timeout: Duration): number {
  let timeoutMs = Number.NaN;
  try {
    timeoutMs = msToNumber(timeout);
  } catch {
    // Text that is not a duration: said below, like every other value that is not.
  }
  if (Number.isFinite(timeoutMs) && timeoutMs >= 0) return Math.ceil(timeoutMs);
  const given = typeof timeout === 'number' ? String(timeout) : JSON.stringify(timeout);
  throw new InvalidArgumentError(`timeout is a duration of at least 0, not ${given}`);
}

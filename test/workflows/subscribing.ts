import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  executeChild,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setDefaultQueryHandler,
  setDefaultSignalHandler,
  setWorkflowOptions,
  sleep,
} from '@temporalio/workflow';
import { cel, events, nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';

import type { Event, SubscriptionId } from 'nextevent/workflow';

import { outcomeOf, setStage, type Outcome } from './stage.ts';

export interface SubscribingActivities {
  /** Calls `nextEvent` where there is no workflow. */
  askForEvent(id: string): Promise<void>;
  /** Ends when the registration with this filter is durable, and its activity has yet to end. */
  untilHeard(filter: string): Promise<void>;
  /** How often the workflow has asked, this time included. */
  nextAttempt(workflowId: string): Promise<number>;
  /** Ends when the test lets it. */
  hold(name: string): Promise<void>;
}

const { askForEvent } = proxyActivities<SubscribingActivities>({
  startToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 1 },
});
const { untilHeard, nextAttempt } = proxyLocalActivities<SubscribingActivities>({
  startToCloseTimeout: '1 minute',
});
// As long as the task has that it keeps open.
const { hold } = proxyLocalActivities<SubscribingActivities>({ startToCloseTimeout: '2 minutes' });

/** Ends one subscription, and itself at once: it still holds the other. */
export async function endOneOfTwo(source: string): Promise<void> {
  const id = await subscribe(source, 'data.one');
  await subscribe(source, 'data.other');
  await unsubscribe(id);
}

/** Waits for two sources, one by one and then for both. */
export async function twoStreams(): Promise<void> {
  const stage = setStage();
  const two = await subscribe('stream-two');
  const one = await subscribe('stream-one');
  stage.subscribed.push(two, one);
  await stage.untilTold(1);
  stage.show(await nextEvent(one));
  stage.show(await nextEvent(two));
  stage.show(await nextEvent(one, { timeout: 100 }));
  await stage.untilTold(2);
  stage.show(await nextEvent(two, one, { timeout: '10 seconds' }));
  stage.show(await nextEvent(two, one, { timeout: '10 seconds' }));
}

/** Subscribes to what started it, and ends. */
export async function subscribeAndEnd(event: Event): Promise<string> {
  await subscribe(event.source);
  return 'ended';
}

/** Subscribes to what started it, and gives the next event. */
export async function nextLikeMine(event: Event): Promise<string[]> {
  const stage = setStage();
  const id = await subscribe(event.source);
  stage.subscribed.push(id);
  const next = await nextEvent(id);
  const last = await nextEvent(id, { timeout: 0 });
  return [event.id, next.id, last?.id ?? 'none'];
}

/** Tries one filter after the other, and works on. */
export async function tryToSubscribe(source: string, filters: string[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const filter of filters) outcomes.push(await outcomeOf(() => subscribe(source, filter)));
  return outcomes;
}

/** Lets a failed `subscribe` end it. */
export async function failToSubscribe(source: string): Promise<void> {
  await subscribe(source, 'no filter');
}

/** Subscribes with all filters at once. */
export async function subscribeAtOnce(source: string, filters: string[]): Promise<string[]> {
  const ids = await Promise.all(filters.map((filter) => subscribe(source, filter)));
  const stage = setStage();
  stage.subscribed.push(...ids);
  const received: string[] = [];
  for (const id of ids) received.push((await nextEvent(id)).id);
  return received;
}

/** Subscribes, and again to the same when it is told; then takes what there is. */
export async function subscribeLater(source: string): Promise<void> {
  const stage = setStage();
  stage.subscribed.push(await subscribe(source));
  await stage.untilTold(1);
  stage.subscribed.push(await subscribe(source));
  await stage.untilTold(2);
  for (;;) {
    const event = await nextEvent(...stage.subscribed, { timeout: 0 });
    if (event === undefined) return;
    stage.show(event);
  }
}

/** Calls `nextEvent` in an activity, and works on. */
export async function askInActivity(source: string): Promise<string[]> {
  const id = await subscribe(source);
  try {
    await askForEvent(id);
    return ['no failure'];
  } catch (error) {
    const { cause } = error as Error;
    if (!(cause instanceof ApplicationFailure)) throw error;
    return [cause.type ?? '', cause.message, 'worked on'];
  }
}

/** Cancels `subscribe` before it is heard, and another one after. */
export async function cancelSubscribe(source: string, heard: string): Promise<string[]> {
  const stage = setStage();
  const outcomes: string[] = [];
  for (const filter of ['true', heard]) {
    const scope = new CancellationScope();
    const subscribing = scope.run(() => subscribe(source, filter));
    if (filter === heard) await untilHeard(filter);
    scope.cancel();
    outcomes.push(
      await subscribing.catch((error: unknown) => (isCancellation(error) ? 'cancelled' : 'failed')),
    );
  }
  const id = await subscribe(source, 'false');
  stage.subscribed.push(id);
  await stage.untilTold(1);
  return outcomes;
}

export type Ending =
  | 'return'
  | 'failure'
  | 'cancellation'
  | 'wait'
  | 'plain error'
  | 'type of failure'
  | 'type by name';

/** The workflow, or its worker, says that such errors end it. */
export class OwnError extends Error {}
export class NamedError extends Error {
  override readonly name = 'NamedError';
}

/** Holds two subscriptions, and ends in a certain way. */
export async function endBy(sources: string[], ending: Ending): Promise<void> {
  const stage = setStage();
  for (const source of sources) stage.subscribed.push(await subscribe(source));
  if (ending === 'plain error') throw new Error('on purpose');
  await stage.untilTold(1);
  if (ending === 'failure') throw ApplicationFailure.nonRetryable('on purpose');
  if (ending === 'cancellation') throw new CancelledFailure('on purpose');
  if (ending === 'type of failure') throw new OwnError('on purpose');
  if (ending === 'type by name') throw new NamedError('on purpose');
  if (ending === 'wait') await nextEvent(...stage.subscribed);
}
setWorkflowOptions({ failureExceptionTypes: [OwnError] }, endBy);

/** Its child listens to the same source; each gets its own copy. */
export async function familyParent(source: string): Promise<unknown> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  const child = executeChild(familyChild, { args: [source, id] });
  const event = await nextEvent(id);
  const result = await child;
  await stage.untilTold(1);
  return { parent: event.id, next: (await nextEvent(id)).id, child: result };
}

export async function familyChild(source: string, parents: SubscriptionId): Promise<unknown> {
  const stage = setStage();
  const own = await subscribe(source);
  stage.subscribed.push(own);
  const foreign = await outcomeOf(() => nextEvent(parents));
  return { event: (await nextEvent(own)).id, foreign: foreign.type };
}

/** Has handlers of its own for every signal and every query. */
export async function handleEverything(source: string): Promise<unknown> {
  const signals: unknown[] = [];
  setDefaultSignalHandler((name, ...args) => {
    signals.push([name, ...args]);
  });
  let asked = '';
  setDefaultQueryHandler((name) => (asked = name));
  const id = await subscribe(source);
  await condition(() => signals.length === 2);
  const event = await nextEvent(id);
  return { signals, event: event.id, asked };
}

/** Takes what text from a user names, and nothing else. */
export async function listenFor(source: string, texts: string[]): Promise<void> {
  const stage = setStage();
  for (const text of texts) {
    stage.subscribed.push(await subscribe(source, cel`data.body.json.customer == ${text}`));
  }
  await stage.untilTold(1);
  for (;;) {
    const event = await nextEvent(...stage.subscribed, { timeout: 0 });
    if (event === undefined) return;
    stage.show(event);
  }
}

/** Its first task fails when its registration was heard; the next one subscribes again. */
export async function subscribeInVain(name: string, filters: [string, string]): Promise<string[]> {
  const stage = setStage();
  const attempt = await nextAttempt(name);
  const id = await subscribe(name, filters[attempt === 1 ? 0 : 1]);
  if (attempt === 1) {
    await hold(name);
    throw new Error('on purpose: the task is executed again');
  }
  stage.subscribed.push(id);
  const event = await nextEvent(id);
  const late = await nextEvent(id, { timeout: 0 });
  await unsubscribe(id);
  return [event.id, late?.id ?? 'none'];
}

/**
 * The same beside a subscription that it has already. Tells what came, and for which; a timer for each
 * that came for the newer one is in its history.
 */
export async function subscribeInVainBeside(
  name: string,
  filters: string[],
  readsFirst = false,
): Promise<string[]> {
  const [older, newer] = filters;
  const first = await subscribe(name, older);
  await sleep(1);
  const attempt = await nextAttempt(name);
  // What was there before the second one was made, it must not get.
  if (readsFirst) await nextEvent(first, { timeout: 0 });
  const second = await subscribe(name, newer);
  if (attempt === 1) {
    await hold(name);
    throw new Error('on purpose: the task is executed again');
  }
  const came: string[] = [];
  for await (const event of events(first, second, { timeout: 0 })) {
    came.push(`${event.id} ${event.subscription === first ? 'older' : 'newer'}`);
    if (event.subscription === second) await sleep(1);
  }
  return came;
}

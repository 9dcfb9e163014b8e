import {
  CancellationScope,
  isCancellation,
  sleep,
  type CancelledFailure,
} from '@temporalio/workflow';
import { events, nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';

import type { Duration } from '@temporalio/common';
import type { Event, SubscriptionId } from 'nextevent/workflow';

import { outcomeOf, setStage, type Outcome, type Stage } from './stage.ts';

/** Holds its subscriptions until it is told; then takes what there is, of all of them. */
export async function takeAll(source: string, filters: string[]): Promise<void> {
  const stage = await subscribed(source, filters);
  // The first one is named first each time, however many events wait for it.
  await drain(stage, stage.subscribed);
}

/** Asks in vain, is told of an event, and asks again. */
export async function askAgain(source: string): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  stage.show(await nextEvent(id, { timeout: 1 }));
  await stage.untilTold(1);
  stage.show(await nextEvent(id, { timeout: 0 }));
  stage.show(await nextEvent(id, { timeout: 0 }));
}

/** Waits a little, and says what came; and what was left for another look. */
export async function waitBriefly(source: string, timeout: number): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source, 'data.body.json.due');
  stage.subscribed.push(id);
  stage.show(await nextEvent(id, { timeout }));
  await stage.untilTold(1);
  stage.show(await nextEvent(id, { timeout: 0 }));
}

/** Waits many times at once in vain, and then many times at once for events. */
export async function waitManyTimes(source: string, times: number): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source);
  const wait = async (timeout: number | string): Promise<void> => {
    stage.show(await nextEvent(id, { timeout: timeout as number }));
  };
  const waits = Array.from({ length: times });
  await Promise.all(waits.map(() => wait(20)));
  stage.subscribed.push(id);
  await Promise.all(waits.map(() => wait('1 hour')));
  await stage.untilTold(1);
}

/** Unsubscribes with events in the queue. */
export async function unsubscribeInBetween(source: string): Promise<Outcome[]> {
  const stage = setStage();
  const [gone, kept] = [await subscribe(source), await subscribe(source)];
  stage.subscribed.push(gone, kept);
  await stage.untilTold(1);
  await unsubscribe(gone);
  await unsubscribe(gone);
  const outcomes = [
    await outcomeOf(() => nextEvent(gone)),
    await outcomeOf(() => nextEvent(kept, gone)),
    await outcomeOf(() => nextEvent(gone, { timeout: 0 })),
  ];
  stage.subscribed.push('unsubscribed');
  await stage.untilTold(2);
  await drain(stage, [kept]);
  return outcomes;
}

/** Unsubscribes what others wait for. */
export async function unsubscribeAwaited(source: string): Promise<unknown> {
  const stage = setStage();
  const [gone, kept] = [await subscribe(source), await subscribe(source)];
  const alone = outcomeOf(() => nextEvent(gone));
  const timed = outcomeOf(() => nextEvent(gone, { timeout: '1 hour' }));
  const both = nextEvent(gone, kept);
  stage.subscribed.push(gone, kept);
  await stage.untilTold(1);
  await unsubscribe(gone);
  return [(await alone).type, (await timed).type, (await both).id];
}

/** Calls `nextEvent` in every wrong way. */
export async function askWrongly(source: string, foreign: SubscriptionId): Promise<Outcome[]> {
  const id = await subscribe(source);
  const wrong: unknown[][] = [
    [],
    [{ timeout: 0 }],
    ['not an id'],
    [undefined],
    [[id]],
    [id.toUpperCase()],
    [foreign],
    [id, foreign],
    [id, { timeout: -1 }],
    [id, { timeout: '-1 minute' }],
    [id, { timeout: Number.NaN }],
    [id, { timeout: Number.POSITIVE_INFINITY }],
    [id, { timeout: 'soon' }],
    [id, { timeout: null }],
  ];
  const outcomes: Outcome[] = [];
  for (const args of wrong) {
    outcomes.push(await outcomeOf(() => nextEvent(...(args as [string]))));
  }
  outcomes.push(await outcomeOf(() => unsubscribe('not an id')));
  outcomes.push(await outcomeOf(() => unsubscribe(foreign)));
  return outcomes;
}

/** Waits with one timeout after the other; the last waits are long ones. */
export async function waitForTimes(
  source: string,
  timeouts: Array<number | string>,
): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source);
  const show = async (event: Promise<Event | undefined>): Promise<void> => {
    stage.show(await event);
  };
  const waits = timeouts.map((timeout) => show(nextEvent(id, { timeout: timeout as number })));
  // The same id twice is that id; no timeout and an undefined one are the same.
  waits.push(show(nextEvent(id, id)), show(nextEvent(id, { timeout: undefined })));
  stage.subscribed.push(id);
  await Promise.all(waits);
}

/** Waits until it is stopped. */
export async function waitForEver(source: string, timeout?: string): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  stage.show(await nextEvent(id, { timeout: timeout as '1 day' | undefined }));
}

/** Two wait for the same. */
export async function waitTwice(source: string): Promise<string[]> {
  const stage = setStage();
  const id = await subscribe(source);
  const waits = [nextEvent(id), nextEvent(id)];
  stage.subscribed.push(id);
  return (await Promise.all(waits)).map((event) => event.id);
}

/** A waiter is cancelled, and so is one that has only begun. */
export async function cancelWaiter(source: string): Promise<string[]> {
  const stage = setStage();
  const id = await subscribe(source);
  const outcomes: string[] = [];
  for (const timeout of [undefined, '1 hour'] as const) {
    const scope = new CancellationScope();
    const waiting = scope.run(() => nextEvent(id, { timeout })).catch(toName);
    await sleep(1);
    scope.cancel();
    outcomes.push(nameOf(await waiting));
    outcomes.push(nameOf(await scope.run(() => nextEvent(id)).catch(toName)));
  }
  stage.subscribed.push(id);
  await stage.untilTold(1);
  outcomes.push(nameOf(await CancellationScope.nonCancellable(() => nextEvent(id))));
  return outcomes;
}

/** Cancels a waiter when it is told, which may be when its event comes. */
export async function cancelWhenTold(source: string): Promise<string[]> {
  const stage = setStage();
  const id = await subscribe(source, 'data.body.json.due');
  stage.subscribed.push(id);
  const scope = new CancellationScope();
  const waiting = scope.run(() => nextEvent(id)).catch(toName);
  await stage.untilTold(1);
  scope.cancel();
  const first = nameOf(await waiting);
  const timeout = first === 'CancelledFailure' ? '2 minutes' : 0;
  return [first, nameOf(await nextEvent(id, { timeout }))];
}

/** What a race leaves behind, without a scope and with one. */
export async function raceTwo(source: string): Promise<void> {
  const stage = setStage();
  const left = await subscribe(source, "data.body.json.side == 'left'");
  const right = await subscribe(source, "data.body.json.side == 'right'");
  stage.subscribed.push(left, right);
  stage.show(await Promise.race([nextEvent(left), nextEvent(right)]));
  // Who lost still waits, and takes an event that nobody sees.
  stage.show(await nextEvent(right));
  await CancellationScope.cancellable(async () => {
    stage.show(await Promise.race([nextEvent(left), nextEvent(right)]));
    CancellationScope.current().cancel();
  }).catch(toName);
  stage.show(await nextEvent(right));
}

/** Reads events until one says that it is the last, and then until there are none. */
export async function readEvents(source: string): Promise<string[]> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  for await (const event of events<{ body: { json: { last: boolean } } }>(id)) {
    stage.show(event);
    if (event.data.body.json.last) break;
  }
  await stage.untilTold(1);
  for await (const event of events(id, { timeout: 50 })) stage.show(event);
  return stage.received.map((received) => received.id);
}

/** Takes so many events one by one, without a wait in between. */
export async function takeMany(source: string, times: number): Promise<number> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  await stage.untilTold(1);
  let taken = 0;
  for (; taken < times; taken += 1) await nextEvent(id, { timeout: '1 hour' });
  return taken;
}

async function subscribed(source: string, filters: readonly string[]): Promise<Stage> {
  const stage = setStage();
  for (const filter of filters) stage.subscribed.push(await subscribe(source, filter));
  await stage.untilTold(1);
  return stage;
}

async function drain(stage: Stage, ids: readonly SubscriptionId[]): Promise<void> {
  for (;;) {
    const event = await nextEvent(...ids, { timeout: 0 });
    if (event === undefined) return;
    stage.show(event);
  }
}

function toName(error: unknown): { id: string } {
  if (isCancellation(error)) return { id: (error as CancelledFailure).name };
  throw error;
}

function nameOf(event: Pick<Event, 'id'> | undefined): string {
  return event?.id ?? 'none';
}

/** Subscribes, and waits for an event that does not come. */
export async function waitInVain(source: string, timeout: Duration): Promise<void> {
  await nextEvent(await subscribe(source, 'false'), { timeout });
}

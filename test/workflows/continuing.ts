import {
  continueAsNew,
  proxyLocalActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { InboxTooLargeError, nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';

import type { Event, SubscriptionId, WebhookData } from 'nextevent/workflow';

import { goOnSignal, setStage, type Stage } from './stage.ts';

export interface ContinuingActivities {
  /** Ends when the test lets it. */
  hold(name: string): Promise<void>;
}

const { hold } = proxyLocalActivities<ContinuingActivities>({ startToCloseTimeout: '10 seconds' });

export interface RelayInput {
  readonly source: string;
  /** How many events a run takes, and how many all of them take. */
  readonly perRun: number;
  readonly total: number;
  readonly ids?: readonly SubscriptionId[];
  readonly received?: readonly string[];
}

/** Continues as new again and again, and gives the ids of all events. */
export async function relay(input: RelayInput): Promise<readonly string[]> {
  const stage = setStage();
  const ids = input.ids ?? [await subscribe(input.source)];
  stage.subscribed.push(...ids);
  const received = [...(input.received ?? [])];
  const end = Math.min(received.length + input.perRun, input.total);
  while (received.length < end) received.push((await nextEvent(...ids)).id);
  if (received.length === input.total) return received;
  return continueAsNew<typeof relay>({ ...input, ids, received });
}

export interface CarryInput {
  readonly source: string;
  readonly filters: readonly string[];
  /** In the next run: what the one before held. */
  readonly ids?: readonly SubscriptionId[];
}

/** Continues as new when it is told, with all that it holds unread; then takes it when told. */
export async function carry(input: CarryInput): Promise<void> {
  const stage = setStage();
  const ids = input.ids ?? (await subscribeAll(input.source, input.filters));
  stage.subscribed.push(...ids);
  await stage.untilTold(1);
  if (!input.ids) await continueAsNew<typeof carry>({ ...input, ids });
  await drain(stage, ids);
}

/** As `carry`, but its first run ends a subscription just before it continues as new. */
export async function carryLess(input: CarryInput): Promise<void> {
  const stage = setStage();
  const ids = input.ids ?? (await subscribeAll(input.source, input.filters));
  stage.subscribed.push(...ids);
  await stage.untilTold(1);
  if (!input.ids) {
    void unsubscribe(ids[0] ?? '');
    await continueAsNew<typeof carryLess>({ ...input, ids: ids.slice(1) });
  }
  await drain(stage, ids);
}

/** Continues as new in a workflow task that lasts until the test lets it go on. */
export async function carryInLongTask(input: CarryInput): Promise<void> {
  const stage = setStage();
  const ids = input.ids ?? (await subscribeAll(input.source, input.filters));
  stage.subscribed.push(...ids);
  if (!input.ids) {
    await hold(input.source);
    await continueAsNew<typeof carryInLongTask>({ ...input, ids });
  }
  await stage.untilTold(1);
  await drain(stage, ids);
}

/** A signal's handler continues as new while the main code waits for an event. */
export async function carryFromHandler(input: CarryInput): Promise<void> {
  if (input.ids) return carry(input);
  const stage = setStage();
  const ids = await subscribeAll(input.source, input.filters);
  setHandler(goOnSignal, () => continueAsNew<typeof carryFromHandler>({ ...input, ids }));
  stage.subscribed.push(...ids);
  // Its task continues as new before it goes on: what comes in that task is for the next run.
  const event = await nextEvent(...ids);
  throw new Error(`${event.id} was taken by a run that has ended`);
}

/** Takes its time to continue as new, and looks for events meanwhile: there are none for it. */
export async function carrySlowly(input: CarryInput): Promise<void> {
  const stage = setStage();
  const ids = input.ids ?? (await subscribeAll(input.source, input.filters));
  stage.subscribed.push(...ids);
  await stage.untilTold(1);
  if (input.ids) return drain(stage, ids);
  try {
    return await continueAsNew<typeof carrySlowly>({ ...input, ids });
  } finally {
    stage.subscribed.push('continuing');
    await stage.untilTold(2);
    stage.show(await nextEvent(...ids, { timeout: 0 }));
    await sleep(1);
    await drain(stage, ids);
  }
}

/** Holds more than it can carry; reads until it can. */
export async function carryTooMuch(input: CarryInput & { before?: string[] }): Promise<string[]> {
  const stage = setStage();
  const ids = input.ids ?? (await subscribeAll(input.source, input.filters));
  stage.subscribed.push(...ids);
  const read = [...(input.before ?? [])];
  await stage.untilTold(1);
  while (!input.ids) {
    try {
      return await continueAsNew<typeof carryTooMuch>({ ...input, ids, before: read });
    } catch (error) {
      if (!(error instanceof InboxTooLargeError)) throw error;
      read.push('too large', (await nextEvent(...ids)).id);
    }
  }
  for (;;) {
    const event = await nextEvent<WebhookData>(...ids, { timeout: 0 });
    if (event === undefined) return read;
    read.push(event.id);
  }
}

/** Continues as new twice, and says what it was started by, and the next event. */
export async function carryStart(event: Event, ids?: SubscriptionId[]): Promise<string[]> {
  const stage = setStage();
  const held = ids ?? [await subscribe(event.source)];
  if (!ids) await continueAsNew<typeof carryStart>(event, held);
  // Another one of the run that continued: it never had the event either.
  held.push(await subscribe(event.source));
  stage.subscribed.push(...held);
  await stage.untilTold(1);
  await drain(stage, held);
  return [event.id, workflowInfo().continuedFromExecutionRunId === undefined ? 'first' : 'next'];
}

async function subscribeAll(source: string, filters: readonly string[]): Promise<SubscriptionId[]> {
  const ids: SubscriptionId[] = [];
  for (const filter of filters) ids.push(await subscribe(source, filter));
  return ids;
}

async function drain(stage: Stage, ids: readonly SubscriptionId[]): Promise<void> {
  for (;;) {
    const event = await nextEvent(...ids, { timeout: 0 });
    if (event === undefined) return;
    stage.show(event);
  }
}

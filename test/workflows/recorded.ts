// The workflows whose histories are in `test/histories`. The histories are replayed against
// them: change nothing here, add others.

import { continueAsNew, sleep } from '@temporalio/workflow';
import { nextEvent, subscribe, triggerSubscription, unsubscribe } from 'nextevent/workflow';

import type { Event, SubscriptionId } from 'nextevent/workflow';

import { outcomeOf, setStage } from './stage.ts';

/** Subscribes, waits with and without a timeout, in vain too, and unsubscribes. */
export async function recordedListener(source: string): Promise<string[]> {
  const stage = setStage();
  const left = await subscribe(source, "data.body.json.side == 'left'");
  const right = await subscribe(source, "data.body.json.side == 'right'");
  const refused = await outcomeOf(() => subscribe(source, 'side == left'));
  stage.subscribed.push(left, right);
  stage.show(await nextEvent(left, right));
  stage.show(await nextEvent(right, { timeout: '1 hour' }));
  await sleep(1);
  stage.show(await nextEvent(left, { timeout: 20 }));
  await unsubscribe(left);
  stage.subscribed.push('unsubscribed');
  stage.show(await nextEvent(right));
  return [refused.type ?? '', ...stage.received.map(({ id }) => id)];
}

/** Takes two events a run, in three runs, with others unread. */
export async function recordedRelay(
  source: string,
  before: readonly string[] = [],
  ids: readonly SubscriptionId[] = [],
): Promise<readonly string[]> {
  const stage = setStage();
  const held = ids.length > 0 ? ids : [await subscribe(source)];
  stage.subscribed.push(...held);
  const received = [...before];
  for (let taken = 0; taken < 2; taken += 1) received.push((await nextEvent(...held)).id);
  if (received.length === 6) return received;
  return continueAsNew<typeof recordedRelay>(source, received, held);
}

/** Takes what its trigger feeds it, two events a run in two runs; the second leaves some unread. */
export async function recordedFed(
  first: Event,
  before: readonly string[] = [],
): Promise<readonly string[]> {
  const stage = setStage();
  if (first.id === 'fed last') return [first.id];
  stage.subscribed.push(await subscribe(first.source, 'false'));
  await stage.untilTold(1);
  const ids = [...before];
  for (let taken = 0; taken < 2; taken += 1) {
    const event = await nextEvent(triggerSubscription(), { timeout: '1 hour' });
    stage.show(event);
    ids.push(event?.id ?? 'none');
  }
  if (before.length > 0) return ids;
  return continueAsNew<typeof recordedFed>(first, ids);
}

/** Waits until it is stopped. */
export async function recordedWaiter(source: string): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  await nextEvent(id, { timeout: '1 day' });
}

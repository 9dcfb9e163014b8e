// Workflows that a trigger starts or feeds.

import { ApplicationFailure } from '@temporalio/common';
import { condition, continueAsNew, setHandler, upsertMemo } from '@temporalio/workflow';
import { nextEvent, subscribe, triggerSubscription, unsubscribe } from 'nextevent/workflow';

import type { Event } from 'nextevent/workflow';

import { progressQuery, type Received } from './listening.ts';
import { goOnSignal, outcomeOf, setStage, type Outcome } from './stage.ts';

type Fed = Event<{ body: { json: { last?: boolean; subscribe?: boolean } } }>;

/** Takes what it is fed until the last event, and gives all ids: first that of its argument. */
export async function takeFed(first: Fed): Promise<readonly Received[]> {
  const stage = setStage();
  stage.show(first);
  for (let event = first; !isLast(event);) {
    event = await nextEvent<Fed['data']>(triggerSubscription());
    stage.show(event);
  }
  return stage.received;
}

/** As `takeFed`, but it takes two events a run, and leaves the others to the next. */
export async function relayFed(first: Fed, before: readonly string[] = []): Promise<string[]> {
  const stage = setStage();
  const ids = before.length === 0 ? [first.id] : [...before];
  for (let taken = 0; taken < 2; taken += 1) {
    const event = await nextEvent<Fed['data']>(triggerSubscription());
    stage.show(event);
    ids.push(event.id);
    if (isLast(event)) return ids;
  }
  return continueAsNew<typeof relayFed>(first, ids);
}

/** Ends whenever nothing is left to read. */
export async function drainFed(first: Event): Promise<string[]> {
  const ids = [first.id];
  for (;;) {
    const event = await nextEvent(triggerSubscription(), { timeout: 0 });
    if (event === undefined) return ids;
    ids.push(event.id);
  }
}

/** Handles the event that it was started with, and never looks whether there are others. */
export async function handleOne(first: Fed): Promise<string> {
  if (first.data.body.json.subscribe) await subscribe(first.source, 'false');
  if (first.id.endsWith(':held')) await untilTold();
  return first.id;
}

/** As `handleOne`, but it notes what it has handled for all runs to come. */
export async function handleAndNote(first: Fed): Promise<void> {
  upsertMemo({ [first.id]: true });
  if (first.id.endsWith(':held')) await untilTold();
}

/** Fails when it is told to, whatever is unread. */
export async function failFed(first: Event): Promise<string> {
  if (first.id.endsWith(':held')) {
    await untilTold();
    throw ApplicationFailure.nonRetryable('told to fail');
  }
  return first.id;
}

/** What it comes to to treat what a trigger feeds as a subscription of the workflow's own. */
export async function unsubscribeFed(): Promise<Outcome> {
  return outcomeOf(() => unsubscribe(triggerSubscription()));
}

function isLast(event: Fed): boolean {
  return event.data.body.json.last === true;
}

async function untilTold(): Promise<void> {
  let told = false;
  setHandler(progressQuery, () => ({ subscribed: [], received: [] }));
  setHandler(goOnSignal, () => {
    told = true;
  });
  await condition(() => told);
}

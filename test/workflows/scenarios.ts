import {
  CancellationScope,
  defineQuery,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import { events, nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';

import type { Event, SubscriptionId } from 'nextevent/workflow';

import { setStage, type Stage } from './stage.ts';

export interface ScenarioActivities {
  /** Calls subscribe, nextEvent and unsubscribe in an activity; the types of their failures. */
  tryInActivity(source: string, id: SubscriptionId): Promise<string[]>;
  /** What the handler of an event does. */
  handle(event: Event): Promise<string>;
  /** Asks the test, which may take its time to answer. */
  ask(url: string): Promise<void>;
}

const options = { startToCloseTimeout: '1 minute', retry: { maximumAttempts: 1 } } as const;
const { tryInActivity, handle } = proxyActivities<ScenarioActivities>(options);
const { ask } = proxyLocalActivities<ScenarioActivities>({ startToCloseTimeout: '1 minute' });

export interface TwoWebhooks {
  readonly one: string;
  readonly two: string;
  readonly filter: string;
  /** Where events are handled. */
  readonly within: 'workflow' | 'activity';
}

/** What it has said so far; first where to post to. */
export const linesQuery = defineQuery<string[]>('lines');

type Started = Event<{ body: { json: TwoWebhooks } }>;

/** Subscribes to two webhooks, and says line by line what came of which. */
export async function twoWebhooks(started: Started): Promise<string[]> {
  const { one, two, filter, within } = started.data.body.json;
  const stage = setStage();
  const lines = [`/webhooks/${one}`, `/webhooks/${two}`];
  setHandler(linesQuery, () => lines);
  const first = await subscribe(two, filter);
  const second = await subscribe(one, filter);
  stage.subscribed.push(first, second);
  if (within === 'activity') lines.push(...(await tryInActivity(one, first)));
  const say = async (wait: Promise<Event | undefined>): Promise<void> => {
    const event = await wait;
    const said = event && within === 'activity' ? await handle(event) : event?.id;
    lines.push(`${stage.received.length + 1} ${said ?? 'none'}`);
    stage.show(event);
  };
  await stage.untilTold(1);
  await say(nextEvent(second));
  await say(nextEvent(first));
  await say(nextEvent(second, { timeout: '1 second' }));
  await stage.untilTold(2);
  // As users of other languages do: the ids in a list.
  const both = [first, second];
  await say(nextEvent(...both, { timeout: '1 minute' }));
  await say(nextEvent(...both, { timeout: '1 minute' }));
  return [...lines, 'done'];
}

/** Where a workflow can be when it is stopped. */
export type Place = 'nextEvent' | 'nextEvent with a timeout' | 'events' | 'sleep';

/** Holds two subscriptions, and gets to a place that it never leaves. */
export async function stayIn(source: string, place: Place): Promise<string> {
  const stage = setStage();
  const ids = [await subscribe(source), await subscribe(source)];
  stage.subscribed.push(...ids);
  if (place === 'nextEvent') await nextEvent(...ids);
  if (place === 'nextEvent with a timeout') await nextEvent(...ids, { timeout: '1 day' });
  if (place === 'sleep') await sleep('1 day');
  for await (const event of events(...ids)) stage.show(event);
  return 'went on';
}

/** Subscribes; looks for events only when it is told, until one ends that. */
export async function lookWhenTold(source: string): Promise<void> {
  const stage = setStage();
  stage.subscribed.push(await subscribe(source));
  await stage.untilTold(1);
  await takeUntilEnd(stage);
}

/** Waits for events, until one ends that. */
export async function waitUntilEnd(source: string): Promise<void> {
  const stage = setStage();
  stage.subscribed.push(await subscribe(source));
  await takeUntilEnd(stage);
}

/** As `waitUntilEnd`, but asks the test before it goes on, in the task that gave it an event. */
export async function askWhenGiven(source: string, url: string): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  stage.show(await nextEvent(id));
  await ask(url);
  await takeUntilEnd(stage);
}

async function takeUntilEnd(stage: Stage): Promise<void> {
  for await (const event of events(...stage.subscribed)) {
    if (event.id === 'end') return;
    stage.show(event);
  }
}

/** Waits for events of several sources; says with which code it takes each. */
export async function outlive(code: string, sources: readonly string[]): Promise<string[]> {
  const stage = setStage();
  for (const source of sources) stage.subscribed.push(await subscribe(source));
  const taken: string[] = [];
  for await (const event of events(...stage.subscribed)) {
    stage.show(event);
    if (event.id === 'end') return taken;
    taken.push(`${code}: ${event.id}`);
  }
  return taken;
}

/** Holds a subscription to each of two sources; ends them when it is told, or with its end. */
export async function outliveSource(sources: readonly [string, string]): Promise<string[]> {
  const stage = setStage();
  const [gone, kept] = [await subscribe(sources[0]), await subscribe(sources[1])];
  stage.subscribed.push(gone, kept);
  await stage.untilTold(1);
  const said: string[] = [];
  const say = async (call: Promise<Event | SubscriptionId | undefined>): Promise<void> => {
    const what = await call.catch((error: Error & { type?: string }) => error.type ?? error.name);
    said.push(typeof what === 'object' ? what.id : (what ?? 'none'));
  };
  await say(nextEvent(gone, { timeout: 10 }));
  await say(nextEvent(gone, kept));
  await say(subscribe(sources[0]));
  await say(unsubscribe(gone).then(() => undefined));
  await say(nextEvent(gone));
  stage.subscribed.push('unsubscribed');
  await stage.untilTold(2);
  return said;
}

/** Holds a subscription to each source until it is told, and ends. */
export async function holdUntilTold(sources: readonly string[]): Promise<void> {
  const stage = setStage();
  for (const source of sources) stage.subscribed.push(await subscribe(source));
  await stage.untilTold(1);
}

/** Shields its wait from being stopped. */
export async function refuseToStop(source: string): Promise<void> {
  const stage = setStage();
  const id = await subscribe(source);
  stage.subscribed.push(id);
  await CancellationScope.nonCancellable(async () => {
    for await (const event of events(id)) stage.show(event);
  });
}

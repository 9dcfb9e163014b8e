import { continueAsNew, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import { cel, nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';

import type { Event } from 'nextevent/workflow';

/** What racing workflows tell the test, which then posts. They go on when that is acknowledged. */
export interface RacingActivities {
  /** A round begins: its subscription is not there yet. */
  beforeSubscribe(key: string): Promise<void>;
  /** `subscribe` has returned. */
  afterSubscribe(key: string): Promise<void>;
}

const options = { startToCloseTimeout: '4 minutes', retry: { maximumAttempts: 1 } } as const;
const ordinary = proxyActivities<RacingActivities>(options);
const local = proxyLocalActivities<RacingActivities>(options);

/** What has not come by then is lost: on a machine that does much else it may take long. */
const LOST_AFTER = '3 minutes';

/** How often a churning workflow subscribes before it continues as new. */
const CHURN_ROUNDS = 25;

export interface RaceInput {
  readonly source: string;
  readonly name: string;
  readonly rounds: number;
  /** Tells from within the workflow task in which `subscribe` returned. */
  readonly isLocal: boolean;
}

/** The ids of the events of each round. */
export type RaceResult = ReadonlyArray<readonly string[]>;

/** Subscribes, and says so the moment that it has; each round to another key. */
export async function race(input: RaceInput): Promise<RaceResult> {
  const { beforeSubscribe, afterSubscribe } = input.isLocal ? local : ordinary;
  const rounds: string[][] = [];
  for (let round = 0; round < input.rounds; round += 1) {
    const key = `${input.name}-${round}`;
    await beforeSubscribe(key);
    const id = await subscribe(input.source, cel`data.body.json.key == ${key}`);
    await afterSubscribe(key);
    const first = await nextEvent(id, { timeout: LOST_AFTER });
    const second = await nextEvent(id, { timeout: 0 });
    rounds.push([first, second].flatMap((event) => event?.id ?? []));
    await unsubscribe(id);
  }
  return rounds;
}

/** Whenever an event wakes it, subscribes again at once, with the same filter. */
export async function subscribeAgain(input: RaceInput): Promise<string[]> {
  const filter = cel`data.body.json.key == ${input.name}`;
  const received: string[] = [];
  let id = await subscribe(input.source, filter);
  for (let round = 0; round < input.rounds; round += 1) {
    await local.afterSubscribe(`${input.name}/${round}`);
    const event = await nextEvent(id, { timeout: LOST_AFTER });
    const again = await subscribe(input.source, filter);
    received.push(event?.id ?? 'lost');
    await unsubscribe(id);
    id = again;
  }
  return received;
}

/** Started by an event: subscribes to events like it, as its first act. */
export async function subscribeFirst(
  started: Event<{ body: { json: { key: string } } }>,
): Promise<string[]> {
  const { key } = started.data.body.json;
  const id = await subscribe(started.source, cel`data.body.json.key == ${key}`);
  await ordinary.afterSubscribe(key);
  const first = await nextEvent(id, { timeout: LOST_AFTER });
  const second = await nextEvent(id, { timeout: 0 });
  return [first, second].flatMap((event) => event?.id ?? []);
}

/** Subscribes and unsubscribes until it is terminated. */
export async function churn(source: string): Promise<void> {
  for (let round = 0; round < CHURN_ROUNDS; round += 1) {
    const id = await subscribe(source, cel`data.body.json.key == ${`churn-${round}`}`);
    await unsubscribe(id);
  }
  await continueAsNew<typeof churn>(source);
}

import { continueAsNew } from '@temporalio/workflow';
import { nextEvent, subscribe } from 'nextevent/workflow';

import type { Event, SubscriptionId } from 'nextevent/workflow';

import { setStage } from './stage.ts';

/** Two small numbers in an event's data: who sent it, and the how-manieth of theirs it is. */
export type Numbered = Event<{ body: { json: { sender: number; number: number } } }>;

/** A timeout that an event beats. */
const LONG = '1 hour';

export interface EndureInput {
  readonly source: string;
  /** How many events a run takes, and how many all of them take. */
  readonly perRun: number;
  readonly total: number;
  readonly state?: EndureState;
}

/** What crosses continue-as-new: small, whatever the number of events. */
export interface EndureState {
  readonly ids: readonly SubscriptionId[];
  readonly taken: number;
  /** The number that is expected next of each sender, for each subscription. */
  readonly expected: ReadonlyArray<readonly number[]>;
  /** What came instead of it. */
  readonly wrong: readonly string[];
}

/** Takes numbered events by two subscriptions, run after run, and says which were out of turn. */
export async function endure(input: EndureInput): Promise<EndureState> {
  const { source, perRun, total } = input;
  const stage = setStage();
  const ids = input.state?.ids ?? [await subscribe(source), await subscribe(source, 'true')];
  stage.subscribed.push(...ids);
  const expected = (input.state?.expected ?? ids.map(() => [])).map((numbers) => [...numbers]);
  const wrong = [...(input.state?.wrong ?? [])];
  let taken = input.state?.taken ?? 0;
  for (const end = Math.min(taken + perRun, total); taken < end; taken += 1) {
    const event = await nextEvent<Numbered['data']>(...ids, { timeout: LONG });
    if (event === undefined) throw new Error('no event came');
    const { sender, number } = event.data.body.json;
    const numbers = expected[ids.indexOf(event.subscription ?? '')] ?? [];
    const due = numbers[sender] ?? 0;
    if (number !== due) wrong.push(`${event.id} instead of ${sender}/${due}`);
    numbers[sender] = due + 1;
  }
  const state = { ids, taken, expected, wrong };
  return taken === total ? state : continueAsNew<typeof endure>({ ...input, state });
}

export interface TimeOutInput {
  readonly source: string;
  /** How many wait at once, how often each does in a run, and how many runs there are. */
  readonly waiters: number;
  readonly times: number;
  readonly runs: number;
  readonly ids?: readonly SubscriptionId[];
}

/** Waits in vain, again and again; in each run once for an event that comes in time. */
export async function timeOut(input: TimeOutInput): Promise<number> {
  const { source, waiters, times, runs } = input;
  const stage = setStage();
  const [silent, ticking] = input.ids ?? [
    await subscribe(source, 'false'),
    await subscribe(source),
  ];
  if (silent === undefined || ticking === undefined) throw new Error('it holds two');
  let timedOut = 0;
  const wait = async (): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      const event = await nextEvent(silent, { timeout: 5 });
      if (event === undefined) timedOut += 1;
    }
  };
  // Beaten by the event that the test posts once it sees that everybody else has timed out.
  const beaten = Promise.all([
    nextEvent(ticking, { timeout: LONG }),
    nextEvent(ticking, { timeout: LONG }),
  ]);
  await Promise.all(Array.from({ length: waiters }, wait));
  stage.subscribed.push(silent, ticking);
  await beaten;
  if (timedOut !== waiters * times) throw new Error(`${timedOut} timed out`);
  if (runs === 1) return timedOut;
  return continueAsNew<typeof timeOut>({ ...input, runs: runs - 1, ids: [silent, ticking] });
}

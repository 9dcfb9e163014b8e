// Code of a workflow beside that which gets an event: it continues as new, or gives up waiting.

import { CancellationScope, condition, continueAsNew, setHandler } from '@temporalio/workflow';
import { nextEvent, subscribe, type SubscriptionId } from 'nextevent/workflow';

import { goOnSignal, setStage } from './stage.ts';

/** Who continues as new: who got an event, a handler after so many turns, or who waits for that. */
export type Continuing = 'reader' | 'condition' | number;

export interface TurnsInput {
  readonly source: string;
  readonly continuing: Continuing;
  /** How many events are read before it ends. */
  readonly total: number;
  readonly ids?: readonly SubscriptionId[];
  readonly read?: readonly string[];
}

/** Two readers at once, in two runs. Returns what they have read. */
export async function takeTurns(input: TurnsInput): Promise<readonly string[]> {
  const { source, continuing, total } = input;
  const stage = setStage();
  const ids = input.ids ?? [await subscribe(source), await subscribe(source)];
  const read = [...(input.read ?? [])];
  const isFirst = input.ids === undefined;
  const goOn = () => continueAsNew<typeof takeTurns>({ ...input, ids, read: [...read] });
  const reading = ids.map(async (id, reader) => {
    while (read.length < total) {
      read.push(await next(id));
      if (isFirst && continuing === 'reader' && reader === 0) await goOn();
    }
  });
  if (isFirst && typeof continuing === 'number') {
    setHandler(goOnSignal, async () => {
      for (let turn = 0; turn < continuing; turn += 1) await Promise.resolve();
      await goOn();
    });
  }
  stage.subscribed.push(...ids);
  const isRead = condition(() => isFirst && continuing === 'condition' && read.length > 0);
  await Promise.race([
    ...reading.map(async (reader) => reader.then(() => new Promise(() => {}))),
    isRead.then(goOn),
    condition(() => read.length === total),
  ]);
  return read;
}

/** Waits for two at once, and takes back the question that came second. */
export async function raceInScope({ source }: { source: string }): Promise<readonly string[]> {
  const stage = setStage();
  const ids = [await subscribe(source), await subscribe(source)];
  stage.subscribed.push(...ids);
  const read: string[] = [];
  await stage.untilTold(1);
  while (read.length < 2) {
    const scope = new CancellationScope();
    read.push(await scope.run(() => Promise.race(ids.map((id) => next(id)))));
    scope.cancel();
  }
  return read;
}

/** As far from the event as users' own functions bring their code. */
async function next(id: SubscriptionId): Promise<string> {
  const event = await (async () => nextEvent(id))();
  return event.id;
}

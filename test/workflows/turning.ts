// Code of a workflow beside that which gets an event: it continues as new, or gives up waiting.

import {
  CancellationScope,
  condition,
  continueAsNew,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import { nextEvent, subscribe, type SubscriptionId } from 'nextevent/workflow';

import { goOnSignal, setStage, type Stage } from './stage.ts';

/**
 * Who continues as new: who got an event; who waits for that, directly or by way of another; who waits
 * for a handler; or the handler itself, after so many turns of the event loop.
 */
export type Continuing = 'reader' | 'condition' | 'chain' | 'told' | number;

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
  await Promise.race([
    ...reading.map(async (reader) => reader.then(() => new Promise(() => {}))),
    isFirst ? untilContinuing(continuing, { read, stage }).then(goOn) : new Promise(() => {}),
    condition(() => read.length === total),
  ]);
  return read;
}

async function untilContinuing(
  continuing: Continuing,
  { read, stage }: { readonly read: readonly string[]; readonly stage: Stage },
): Promise<void> {
  if (continuing === 'told') return stage.untilTold(1);
  const isConditional = continuing === 'condition' || continuing === 'chain';
  const isRead = condition(() => isConditional && read.length > 0);
  if (continuing !== 'chain') return isRead;
  let isChained = false;
  void isRead.then(() => (isChained = true));
  return condition(() => isChained);
}

export interface ScopeInput {
  readonly source: string;
  /** Whether its code goes on because of a job of the task itself, and not of a condition. */
  readonly isWokenByJob: boolean;
  readonly total: number;
}

/** Waits for two at once, again and again, and takes back the question that came second. */
export async function raceInScope(input: ScopeInput): Promise<readonly string[]> {
  const { source, isWokenByJob, total } = input;
  const stage = setStage();
  const ids = [await subscribe(source), await subscribe(source)];
  stage.subscribed.push(...ids);
  const read: string[] = [];
  await (isWokenByJob ? untilJob() : stage.untilTold(1));
  while (read.length < total) {
    const scope = new CancellationScope();
    read.push(await scope.run(() => Promise.race(ids.map((id) => next(id)))));
    scope.cancel();
  }
  return read;
}

/** Waits for one event, and then for the next one or for something that has come to pass before. */
export async function raceWithThePast({ source }: { source: string }): Promise<readonly string[]> {
  const stage = setStage();
  const [id, other] = [await subscribe(source), await subscribe(source)];
  stage.subscribed.push(id, other);
  const past = stage.untilTold(1).then(() => 'the past');
  const first = await next(id);
  const scope = new CancellationScope();
  const second = await scope.run(() => Promise.race([past, next(id)]));
  scope.cancel();
  return [first, second, await next(id)];
}

/** What two runs have of the same. */
interface Handed {
  readonly source: string;
  readonly ids?: readonly SubscriptionId[];
  readonly read?: readonly string[];
}

/** Its second run begins with an event for each of two readers; the first of them continues as new. */
export async function readFromStart({ source, ids, read }: Handed): Promise<readonly string[]> {
  if (ids === undefined) {
    const stage = setStage();
    const held = [await subscribe(source), await subscribe(source)];
    stage.subscribed.push(...held);
    await stage.untilTold(1);
    return continueAsNew<typeof readFromStart>({ source, ids: held });
  }
  const all = [...(read ?? [])];
  const goOn = () => continueAsNew<typeof readFromStart>({ source, ids, read: [...all] });
  const reading = ids.map(async (id, reader) => {
    all.push(await next(id));
    if (read === undefined && reader === 0) await goOn();
  });
  await Promise.race([
    ...reading.map(async (reader) => reader.then(() => new Promise(() => {}))),
    condition(() => all.length === ids.length),
  ]);
  return all;
}

/** One job wakes two: who reads an event, and who continues as new so many turns later. */
export async function readBeside(input: Handed & { turns: number }): Promise<readonly string[]> {
  const { source, turns, ids } = input;
  const read = [...(input.read ?? [])];
  if (ids?.[0] !== undefined) return read.length > 0 ? read : [await next(ids[0])];
  const stage = setStage();
  const held = [await subscribe(source), await subscribe(source)] as const;
  const told = untilJob();
  stage.subscribed.push(...held);
  void readWhenTold();
  await told;
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
  return continueAsNew<typeof readBeside>({ source, turns, ids: held, read });

  async function readWhenTold(): Promise<void> {
    await told;
    read.push(await next(held[0]));
  }
}

/** Who reads wakes who continues as new, by a promise; that goes on so many turns later. */
export async function readAndTell(input: Handed & { turns: number }): Promise<readonly string[]> {
  const { source, turns, ids } = input;
  const read = [...(input.read ?? [])];
  if (ids?.[0] !== undefined) return read.includes('two') ? read : [...read, await next(ids[0])];
  const stage = setStage();
  const held = [await subscribe(source), await subscribe(source)] as const;
  let tell: (() => void) | undefined;
  const told = new Promise<void>((resolve) => (tell = resolve));
  void readAll();
  stage.subscribed.push(...held);
  await told;
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
  return continueAsNew<typeof readAndTell>({ source, turns, ids: held, read });

  async function readAll(): Promise<void> {
    for (;;) {
      const id = await next(held[0]);
      if (id === 'stop') tell?.();
      else read.push(id);
    }
  }
}

/** Ends after so long, unless a handler continues as new before. */
export async function endOrContinue(
  input: Handed & { timeoutMs: number },
): Promise<readonly string[]> {
  const { source, timeoutMs, ids } = input;
  if (ids?.[0] !== undefined) return [await next(ids[0])];
  const stage = setStage();
  const held = [await subscribe(source), await subscribe(source)];
  setHandler(goOnSignal, () => continueAsNew<typeof endOrContinue>({ ...input, ids: held }));
  stage.subscribed.push(...held);
  await sleep(timeoutMs);
  return ['ended'];
}

/** Two wait for events, one of them for so long; what they get, or `none`. */
export async function waitBeside({ source, timeoutMs }: { source: string; timeoutMs: number }) {
  const stage = setStage();
  const [one, other] = [await subscribe(source), await subscribe(source)];
  stage.subscribed.push(one, other);
  const waits = [nextEvent(one, { timeout: timeoutMs }), nextEvent(one, other)];
  return (await Promise.all(waits)).map((event) => event?.id ?? 'none');
}

/** Goes on with the signal itself. */
function untilJob(): Promise<void> {
  return new Promise((resolve) => setHandler(goOnSignal, () => resolve()));
}

/** Returns while something waits that nobody waits for. */
export async function leaveReader({ source }: { source: string }): Promise<string> {
  const stage = setStage();
  const id = await subscribe(source);
  void next(id);
  stage.subscribed.push(id);
  await stage.untilTold(1);
  return 'done';
}

/** As far from the event as users' own functions bring their code. */
async function next(id: SubscriptionId): Promise<string> {
  const event = await (async () => nextEvent(id))();
  return event.id;
}

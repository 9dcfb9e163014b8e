// One lane a workflow: its events are signalled strictly in order, one signal at a time,
// while different workflows are signalled side by side. Events that queue up behind a
// signal travel together in the next.

import type { Client } from '@temporalio/client';

import type { Event } from '../events/event.ts';
import type { Subscription } from '../events/subscription.ts';
import { countTogether } from '../events/together.ts';
import { eventSignal, type MatchedEvent } from '../workflows/messages.ts';
import { retrying, toFailureKind } from './failures.ts';
import { HistoryGuard } from './history-guard.ts';

/** The most that one signal carries, in bytes of JSON; or what one event takes, if that is more. */
export const BATCH_BYTES_MAX = 1024 * 1024;

/** How many signals are on their way at once, */
const SIGNALS_MAX = 128;

/** ... and how many of them are of one source: the others need not wait for it. */
const SIGNALS_PER_SOURCE_MAX = 64;

/** How long one attempt to signal may take. */
const ATTEMPT_MS_MAX = 1_500;

/**
 * What became of an event for one workflow.
 *
 * - `taken`: durable in its history
 * - `gone`: the workflow has ended
 * - `refused`: it will take no more signals
 * - `stuck`: it took none in time; nothing later was signalled either
 * - `overloaded`: the server could not; nothing later was signalled either
 */
export type Outcome = 'taken' | 'gone' | 'refused' | 'stuck' | 'overloaded';

/** The workflow that a lane leads to. */
export type Target = Pick<Subscription, 'workflowId' | 'firstRunId'>;

interface Waiting {
  readonly matched: MatchedEvent;
  readonly bytes: number;
  readonly settle: (outcome: Outcome) => void;
}

interface Lane {
  readonly target: Target;
  waiting: Waiting[];
}

export class Lanes {
  readonly #client: Client;
  readonly #giveUpMs: number;
  readonly #lanes = new Map<string, Lane>();
  readonly #slots = new Slots();
  readonly #guard: HistoryGuard;

  /** A workflow that takes no signal for `giveUpMs` is `stuck`. */
  constructor(client: Client, giveUpMs: number) {
    this.#client = client;
    this.#guard = new HistoryGuard(client);
    this.#giveUpMs = giveUpMs;
  }

  /** Fails at once on what can not be written: nobody may be waiting yet for what it gives. */
  push(target: Target, matched: MatchedEvent): Promise<Outcome> {
    const bytes = bytesOfMatched(matched);
    return new Promise((settle) => {
      const key = `${target.workflowId}\0${target.firstRunId}`;
      const waiting = { matched, bytes, settle };
      const lane = this.#lanes.get(key);
      if (lane) {
        lane.waiting.push(waiting);
        return;
      }
      const opened = { target, waiting: [waiting] };
      this.#lanes.set(key, opened);
      void this.#drain(opened, key);
    });
  }

  async #drain(lane: Lane, key: string): Promise<void> {
    for (let [first] = lane.waiting; first !== undefined; [first] = lane.waiting) {
      const { source } = first.matched.event;
      await this.#slots.take(source);
      const batch = takeBatch(lane);
      const outcome = await this.#signal(lane.target, batch);
      this.#slots.free(source);
      if (outcome === 'stuck' || outcome === 'overloaded') batch.push(...lane.waiting.splice(0));
      for (const { settle } of batch) settle(outcome);
    }
    // In the same turn as the last look at what waits, so that nothing slips in between.
    this.#lanes.delete(key);
  }

  async #signal({ workflowId, firstRunId }: Target, batch: Waiting[]): Promise<Outcome> {
    const events = batch.map(({ matched }) => matched);
    try {
      const isFull = (): Promise<boolean> => this.#guard.isFull(workflowId, sizeOf(batch));
      if (await retrying(this.#giveUpMs, isFull)) return 'refused';
      await retrying(this.#giveUpMs, () =>
        this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, () =>
          this.#client.workflow
            .getHandle(workflowId)
            .signal(eventSignal, { to: firstRunId, events }),
        ),
      );
      return 'taken';
    } catch (error) {
      const kind = toFailureKind(error);
      return kind === 'retry' ? 'stuck' : kind;
    }
  }
}

function sizeOf(batch: readonly Waiting[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes, 0);
}

function takeBatch(lane: Lane): Waiting[] {
  const count = countTogether(lane.waiting, ({ bytes }) => bytes, BATCH_BYTES_MAX);
  return lane.waiting.splice(0, count);
}

/** With the ids: hundreds of subscriptions of one workflow take more than a small event. */
function bytesOfMatched({ event, subscriptions }: MatchedEvent): number {
  return bytesOf(event) + Buffer.byteLength(JSON.stringify({ event: 0, subscriptions }));
}

const sizes = new WeakMap<Event, number>();

/** The size of an event, in bytes of JSON. */
export function bytesOf(event: Event): number {
  const known = sizes.get(event);
  if (known !== undefined) return known;
  const bytes = Buffer.byteLength(JSON.stringify(event));
  sizes.set(event, bytes);
  return bytes;
}

/** A counting semaphore. Sources that wait for it take turns. */
class Slots {
  #free = SIGNALS_MAX;
  readonly #taken = new Map<string, number>();
  /** Whose turn is next comes first. */
  readonly #waiting = new Map<string, Array<() => void>>();

  take(source: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(source);
      if (waiting) waiting.push(resolve);
      else this.#waiting.set(source, [resolve]);
      this.#give();
    });
  }

  free(source: string): void {
    const taken = this.#takenBy(source) - 1;
    if (taken > 0) this.#taken.set(source, taken);
    else this.#taken.delete(source);
    this.#free += 1;
    this.#give();
  }

  #give(): void {
    for (const [source, waiting] of this.#waiting) {
      if (this.#free === 0) return;
      if (this.#takenBy(source) >= SIGNALS_PER_SOURCE_MAX) continue;
      this.#free -= 1;
      this.#taken.set(source, this.#takenBy(source) + 1);
      this.#waiting.delete(source);
      waiting.shift()?.();
      // At the end it comes up again in this loop, once all others have had their turn.
      if (waiting.length > 0) this.#waiting.set(source, waiting);
    }
  }

  #takenBy(source: string): number {
    return this.#taken.get(source) ?? 0;
  }
}

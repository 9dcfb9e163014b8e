// Signals with start: an event starts the workflow that it is for, or is given to it while
// it runs. One call at a time for each workflow, in order; events that queue up behind one
// travel together in the next, because a run takes only so many signals.

import type { Client } from '@temporalio/client';

import type { Event } from '../events/event.ts';
import { countTogether } from '../events/together.ts';
import { toSummary, type Trigger } from '../events/trigger.ts';
import { eventSignal } from '../workflows/messages.ts';
import { UnavailableError } from './errors.ts';
import { retrying, toFailureKind } from './failures.ts';
import { HistoryGuard } from './history-guard.ts';
import { BATCH_BYTES_MAX, bytesOf } from './lanes.ts';
import { CALL_MS_MAX } from './source-client.ts';

/**
 * How long one attempt may take. Longer than for other calls: an attempt that is given up may
 * still succeed, and if its run has ended by then, the next one would handle its events again.
 */
const ATTEMPT_MS_MAX = 10_000;

/** When to try again to give a run more that has had all that it can: it must continue as new. */
const FULL_RETRY_SECONDS = 5;

interface Waiting {
  readonly event: Event;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Feeder {
  readonly #client: Client;
  readonly #guard: HistoryGuard;
  /** What waits for each workflow that is being signalled. */
  readonly #lanes = new Map<string, Waiting[]>();

  constructor(client: Client) {
    this.#client = client;
    this.#guard = new HistoryGuard(client);
  }

  /** Durable once it returns. */
  feed(trigger: Trigger, workflowId: string, event: Event): Promise<void> {
    return new Promise((resolve, reject) => {
      // Here it fails for this event alone if it can not be written.
      const waiting = { event, bytes: bytesOf(event), resolve, reject };
      const lane = this.#lanes.get(workflowId);
      if (lane) {
        lane.push(waiting);
        return;
      }
      const opened = [waiting];
      this.#lanes.set(workflowId, opened);
      void this.#drain(trigger, workflowId, opened);
    });
  }

  async #drain(trigger: Trigger, workflowId: string, lane: Waiting[]): Promise<void> {
    while (lane.length > 0) {
      const batch = takeBatch(lane);
      try {
        await this.#checkRoom(workflowId, batch);
        const events = batch.map(({ event }) => event);
        await this.#signalWithStart(trigger, workflowId, events);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(toFeedError(workflowId, error));
      }
    }
    // In the same turn as the last look at what waits, so that nothing slips in between.
    this.#lanes.delete(workflowId);
  }

  async #checkRoom(workflowId: string, batch: readonly Waiting[]): Promise<void> {
    const bytes = batch.reduce((sum, waiting) => sum + waiting.bytes, 0);
    if (!(await retrying(CALL_MS_MAX, () => this.#guard.isFull(workflowId, bytes)))) return;
    throw new UnavailableError(`${workflowId} takes no more events`, FULL_RETRY_SECONDS);
  }

  async #signalWithStart(trigger: Trigger, workflowId: string, events: Event[]): Promise<void> {
    const [first] = events;
    if (first === undefined) return;
    await retrying(CALL_MS_MAX, () =>
      this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, () =>
        this.#client.workflow.signalWithStart(trigger.workflow, {
          workflowId,
          taskQueue: trigger.taskQueue,
          args: [first],
          staticSummary: toSummary(trigger, first),
          signal: eventSignal,
          signalArgs: [{ trigger: trigger.name, events }],
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        }),
      ),
    );
  }
}

function takeBatch(lane: Waiting[]): Waiting[] {
  return lane.splice(
    0,
    countTogether(lane, ({ bytes }) => bytes, BATCH_BYTES_MAX),
  );
}

/** What will not be taken must not be acknowledged: its sender has to try again, or to know. */
function toFeedError(workflowId: string, error: unknown): unknown {
  if (toFailureKind(error) !== 'refused') return error;
  const message = `${workflowId} takes no more events`;
  return new UnavailableError(message, FULL_RETRY_SECONDS, { cause: error });
}

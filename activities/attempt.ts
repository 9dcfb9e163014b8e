// Makes the attempts of listeners. What a receiver says, or that it says nothing, is the result of the
// activity, which is its record; it fails only if the worker can not do its work.

import { Context } from '@temporalio/activity';

import type { Event } from '../events/event.ts';
import type { AttemptRecord, AttemptRequest } from '../events/listener.ts';
import { deriveEvent } from '../events/webhook-body.ts';
import { makeAttempt, type Mocks } from '../outbound/attempt.ts';
import type { Outbound } from '../outbound/outbound.ts';
import { deliveryWorkflowId } from '../workflows/listener-messages.ts';

/** How often the server hears that it is at work. */
const HEARTBEAT_MS = 1_000;

export interface AttemptDeps {
  readonly outbound: Outbound;
  /** The event of this id that is the input of a delivery workflow. */
  readonly readStored: (workflowId: string, eventId?: string) => Promise<Event>;
  /** Answers requests in place of their receivers, in tests. */
  readonly mocks?: Mocks;
}

export function createAttemptActivities({ outbound, readStored, mocks }: AttemptDeps) {
  return {
    /** Sends one request. If its worker is killed, it is sent again, with the same id. */
    async nexteventAttempt(request: AttemptRequest): Promise<AttemptRecord> {
      const { cancellationSignal: signal, heartbeat } = Context.current();
      const { listener, definition, reason, storedIn, eventId } = request;
      const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
      try {
        const stored = (): Promise<Event> =>
          readStored(deliveryWorkflowId(listener, numberOf(storedIn)), eventId);
        const event = request.event ?? (await stored());
        const parts = { definition, event: deriveEvent(event), reason, signal, mocks };
        const record = await makeAttempt(outbound, parts);
        // Whoever cancelled it wants no record of why it was not finished.
        signal.throwIfAborted();
        return record;
      } finally {
        clearInterval(beat);
      }
    },
  };
}

function numberOf(storedIn: number | undefined): number {
  if (storedIn !== undefined) return storedIn;
  throw new TypeError('an attempt has neither an event nor the number of a delivery');
}

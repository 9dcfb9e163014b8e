// What is on record of deliveries: the event of one that is stored, and the attempts in the
// histories of listeners. Needs no worker.

import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import proto from '@temporalio/proto';

import type { Event } from '../events/event.ts';
import type { AttemptRecord, AttemptReference, AttemptRequest } from '../events/listener.ts';
import { deriveEvent } from '../events/webhook-body.ts';
import {
  deliveryWorkflowId,
  EVENT_NOT_ON_RECORD,
  listenerWorkflowId,
} from '../workflows/listener-messages.ts';
import { toFailureKind } from './failures.ts';

type Payloads = Parameters<typeof decodeArrayFromPayloads>[1];
type History = readonly proto.temporal.api.history.v1.IHistoryEvent[];

/** An attempt as it is on record. */
export interface RecordedAttempt {
  readonly request: AttemptRequest;
  /** None as long as it is on its way. */
  readonly record?: AttemptRecord;
}

/** The event is not on record, or not any more: no retry cures it. */
class EventNotOnRecordError extends ApplicationFailure {
  constructor(message: string) {
    super(message, EVENT_NOT_ON_RECORD, true);
  }
}

export class DeliveryReader {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * The event that is the input of the workflow of a delivery.
   *
   * @param eventId - the id that it has to have: one that was terminated before may have had a listener
   * of the same id, with deliveries of the same numbers
   * @throws EventNotOnRecordError
   */
  async readStoredEvent(workflowId: string, eventId?: string): Promise<Event> {
    const [started] = await this.#history(workflowId);
    const input = started?.workflowExecutionStartedEventAttributes?.input?.payloads;
    const [, event] = await this.#decode(input);
    if (event === undefined) throw new EventNotOnRecordError(`${workflowId} is not on record`);
    const { id } = event as Event;
    if (id === (eventId ?? id)) return deriveEvent(event as Event);
    throw new EventNotOnRecordError(`${workflowId} has event ${id}, and not ${eventId}`);
  }

  /** An attempt of a listener; `undefined` if it is not on record any more. */
  async readAttempt(
    listener: string,
    attempt: AttemptReference,
  ): Promise<RecordedAttempt | undefined> {
    const [read] = await this.readAttempts(listener, [attempt]);
    return read;
  }

  /** Attempts of a listener, each in its place. Every history is read once. */
  async readAttempts(
    listener: string,
    attempts: readonly AttemptReference[],
  ): Promise<ReadonlyArray<RecordedAttempt | undefined>> {
    const histories = new Map<string, Promise<History>>();
    return Promise.all(
      attempts.map(async ({ runId, activityId }) => {
        const reading = histories.get(runId) ?? this.#history(listenerWorkflowId(listener), runId);
        histories.set(runId, reading);
        return this.#toAttempt(await reading, activityId);
      }),
    );
  }

  /**
   * The event of a delivery, wherever it is.
   *
   * @throws EventNotOnRecordError
   */
  async eventOf(listener: string, number: number, attempt?: AttemptReference): Promise<Event> {
    // Most were delivered at once, and are stored nowhere.
    const read = attempt && (await this.readAttempt(listener, attempt));
    if (read?.request.event) return deriveEvent(read.request.event);
    return this.readStoredEvent(deliveryWorkflowId(listener, number));
  }

  async #toAttempt(history: History, id: string): Promise<RecordedAttempt | undefined> {
    const scheduled = history.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityId === id,
    );
    if (scheduled === undefined) return undefined;
    const input = scheduled.activityTaskScheduledEventAttributes?.input?.payloads;
    const [request] = await this.#decode(input);
    const completed = history.find(
      ({ activityTaskCompletedEventAttributes: attributes }) =>
        attributes && String(attributes.scheduledEventId) === String(scheduled.eventId),
    );
    const result = completed?.activityTaskCompletedEventAttributes?.result?.payloads;
    const [record] = await this.#decode(result);
    return {
      request: request as AttemptRequest,
      ...(record !== undefined && { record: record as AttemptRecord }),
    };
  }

  /** Empty if there is no such run, or none any more. */
  async #history(workflowId: string, runId?: string): Promise<History> {
    try {
      const { events } = await this.#client.workflow.getHandle(workflowId, runId).fetchHistory();
      return events ?? [];
    } catch (error) {
      if (toFailureKind(error) !== 'gone') throw error;
      return [];
    }
  }

  #decode(payloads: Payloads): Promise<unknown[]> {
    return decodeArrayFromPayloads(this.#client.options.loadedDataConverter, payloads);
  }
}

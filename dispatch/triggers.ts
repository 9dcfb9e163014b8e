// Starts the workflows that triggers name.

import { createHash } from 'node:crypto';

import type { Client } from '@temporalio/client';

import type { Event } from '../events/event.ts';
import { FilterIndex } from '../events/filter-index.ts';
import type { Trigger } from '../events/trigger.ts';
import { startOnce } from './source-client.ts';

/** Longest part of a workflow id that is the event's own id, in characters. */
const EVENT_ID_LENGTH_MAX = 128;

/** How long one attempt to start a workflow may take. */
const ATTEMPT_MS_MAX = 1_500;

export class Triggers {
  readonly #client: Client;
  readonly #indexes = new Map<string, FilterIndex<Trigger>>();

  constructor(client: Client, triggers: readonly Trigger[]) {
    this.#client = client;
    for (const trigger of triggers) {
      const index = this.#indexes.get(trigger.source) ?? new FilterIndex<Trigger>();
      index.add(trigger.name, trigger.filter, trigger);
      this.#indexes.set(trigger.source, index);
    }
  }

  /** How many triggers the source has. */
  count(source: string): number {
    return this.#indexes.get(source)?.size ?? 0;
  }

  /**
   * Starts every workflow that a trigger wants to start with this event, and returns their
   * ids. A workflow that this event has started before is not started again.
   */
  start(event: Event): Promise<string[]> {
    const triggers = this.#indexes.get(event.source)?.match(event).matched ?? [];
    return Promise.all(triggers.map((trigger) => this.#start(trigger, event)));
  }

  async #start({ name, workflow, taskQueue }: Trigger, event: Event): Promise<string> {
    const workflowId = toWorkflowId(name, event.id);
    await startOnce(() =>
      this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, () =>
        this.#client.workflow.start(workflow, {
          workflowId,
          taskQueue,
          args: [event],
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        }),
      ),
    );
    return workflowId;
  }
}

/** Made of trigger and event, so that the same event starts the same workflow only once. */
function toWorkflowId(trigger: string, eventId: string): string {
  const isShort = eventId.length <= EVENT_ID_LENGTH_MAX;
  const id = isShort ? eventId : createHash('sha256').update(eventId).digest('hex');
  return `${trigger}/${id}`;
}

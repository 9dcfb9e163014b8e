// Starts or feeds the workflows that triggers name.

import { createHash } from 'node:crypto';

import type { Client } from '@temporalio/client';

import type { Event } from '../events/event.ts';
import { FilterIndex } from '../events/filter-index.ts';
import { toSummary, type Trigger } from '../events/trigger.ts';
import { Feeder } from './feeder.ts';
import { NO_OBSERVER, observeMatch, type DispatchObserver } from './observer.ts';
import type { Respondent } from './responses.ts';
import { startOnce } from './source-client.ts';

/** Longest part of a workflow id that is the event's id, or what `workflowId` gave. */
const KEY_LENGTH_MAX = 128;

/** How much of an error of the user's is logged, in characters. */
const REASON_LENGTH_MAX = 200;

/** How long one attempt to start a workflow may take. */
const ATTEMPT_MS_MAX = 1_500;

/** What an event has started or fed, now or when it came before. */
export interface Started {
  /** Ids of workflows. */
  readonly ids: readonly string[];
  /** The one of them whose answer the sender waits for. */
  readonly respondent?: Respondent;
}

export class Triggers {
  readonly #client: Client;
  readonly #feeder: Feeder;
  readonly #observer: DispatchObserver;
  readonly #indexes = new Map<string, FilterIndex<Trigger>>();

  constructor(client: Client, triggers: readonly Trigger[], observer = NO_OBSERVER) {
    this.#client = client;
    this.#observer = observer;
    this.#feeder = new Feeder(client);
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
   * Starts or feeds every workflow that a trigger wants to with this event. A workflow that this
   * event has started before is not started again, unless it is named by `workflowId` and has ended.
   */
  async start(event: Event): Promise<Started> {
    const started = await Promise.all(
      this.#match(event).map(async ({ respondMsMax: withinMs, ...trigger }) => {
        const workflowId = await this.#startOrFeed(trigger, event);
        return workflowId === undefined ? [] : [{ workflowId, withinMs }];
      }),
    );
    const all = started.flat();
    const respondent = all.find((one): one is Respondent => one.withinMs !== undefined);
    return { ids: all.map(({ workflowId }) => workflowId), ...(respondent && { respondent }) };
  }

  #match(event: Event): readonly Trigger[] {
    const index = this.#indexes.get(event.source);
    if (index === undefined) return [];
    const { triggers } = observeMatch(this.#observer, event.source, () => {
      const { matched, failed } = index.match(event);
      return { triggers: matched, matched: matched.length, failed: failed.length };
    });
    return triggers;
  }

  async #startOrFeed(trigger: Trigger, event: Event): Promise<string | undefined> {
    const key = trigger.workflowId === undefined ? event.id : keyOf(trigger, event);
    if (key === undefined) return undefined;
    const workflowId = toWorkflowId(trigger.name, key);
    if (trigger.workflowId === undefined) await this.#start(trigger, workflowId, event);
    else await this.#feeder.feed(trigger, workflowId, event);
    return workflowId;
  }

  async #start(trigger: Trigger, workflowId: string, event: Event): Promise<void> {
    const { workflow, taskQueue } = trigger;
    await startOnce(() =>
      this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, () =>
        this.#client.workflow.start(workflow, {
          workflowId,
          taskQueue,
          args: [event],
          staticSummary: toSummary(trigger, event),
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        }),
      ),
    );
  }
}

/**
 * What the user's function gives. If that is no id, the event starts nothing: sending it again
 * would not cure it, and nobody else has to wait for it.
 */
function keyOf({ name, workflowId }: Trigger, event: Event): string | undefined {
  let reason: string;
  try {
    const key = workflowId?.(event);
    // An async function is no such function; that it fails as well must not end the process.
    if (key instanceof Promise) key.catch(() => {});
    if (typeof key === 'string' && key !== '') return key;
    reason = key === '' ? 'it gave an empty text' : `it gave no text but ${typeof key}`;
  } catch (error) {
    const message = error instanceof Error ? error.message : `it threw ${typeof error}`;
    reason = (/^[^\r\n]*/.exec(message)?.[0] ?? '').slice(0, REASON_LENGTH_MAX);
  }
  console.error(`trigger ${name} starts nothing with event ${event.id}: workflowId: ${reason}`);
  return undefined;
}

/** Made of the trigger and what tells one of its workflows from another. */
function toWorkflowId(trigger: string, key: string): string {
  const isShort = key.length <= KEY_LENGTH_MAX;
  const id = isShort ? key : createHash('sha256').update(key).digest('hex');
  return `${trigger}/${id}`;
}

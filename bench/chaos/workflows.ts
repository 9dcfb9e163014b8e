// The workflows of the chaos run. What a subscriber has received is part of its state, which
// crosses continue-as-new as its argument and is read by a query in the end: nothing outside of
// Temporal keeps it.

import {
  ApplicationFailure,
  CancellationScope,
  continueAsNew,
  defineQuery,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { nextEvent, subscribe, unsubscribe, type Event } from 'nextevent/workflow';

import type { SubscriptionId } from '../../events/subscription.ts';
import { toCel, type Body, type Command, type Wanted } from './filters.ts';
import type { report } from './report.ts';

export interface Life {
  /** What to subscribe to next. */
  readonly wanted: readonly Wanted[];
  /** Continued as new so often. */
  readonly runs: number;
  /** Every subscription that there was. */
  readonly subscriptions: readonly SubscriptionId[];
  readonly held: readonly SubscriptionId[];
  /** In the order in which `nextEvent` gave them. The subscription is an index of the above. */
  readonly received: ReadonlyArray<readonly [subscription: number, event: string]>;
}

export const lifeQuery = defineQuery<Life>('life');

type ChaosEvent = Event<{ body: { json: Body } }>;

const { report: tell } = proxyActivities<{ report: typeof report }>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: 100, maximumInterval: 1_000 },
});

/** Subscribes, and records what it gets, until an event or a cancellation ends it. */
export async function subscriber(given: Life): Promise<number> {
  const life = new Living(given);
  setHandler(lifeQuery, () => life.toLife());
  try {
    return await life.live();
  } catch (error) {
    // What has come by now is received: nothing may be in the inbox when the checker looks.
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => life.drain());
    throw error;
  }
}

/** Started by an event. Ends at once, so that nothing but its id keeps it from a second start. */
export async function startedByEvent(event: ChaosEvent): Promise<string> {
  return event.id;
}

class Living {
  readonly #runs: number;
  readonly #wanted: Wanted[];
  readonly #subscriptions: SubscriptionId[];
  readonly #held: Set<SubscriptionId>;
  readonly #received: Array<readonly [number, string]>;

  constructor(given: Life) {
    this.#runs = given.runs;
    this.#wanted = [...given.wanted];
    this.#subscriptions = [...given.subscriptions];
    this.#held = new Set(given.held);
    this.#received = [...given.received];
  }

  toLife(): Life {
    return {
      runs: this.#runs,
      wanted: this.#wanted,
      subscriptions: this.#subscriptions,
      held: [...this.#held],
      received: this.#received,
    };
  }

  async live(): Promise<number> {
    const { firstExecutionRunId: firstRunId } = workflowInfo();
    if (this.#runs > 0) await tell({ kind: 'continued', firstRunId, runs: this.#runs });
    for (;;) {
      await this.#subscribe(firstRunId);
      const command = this.#take(await nextEvent<ChaosEvent['data']>(...this.#held));
      switch (command?.do) {
        case undefined:
          break;
        case 'unsubscribe':
          await unsubscribe(command.subscription);
          this.#held.delete(command.subscription);
          this.#wanted.push(...command.instead);
          await tell({ kind: 'released', firstRunId, subscription: command.subscription });
          break;
        case 'drain':
          await tell({ kind: 'drained', firstRunId, subscription: command.subscription });
          break;
        case 'continue':
          return continueAsNew<typeof subscriber>({ ...this.toLife(), runs: this.#runs + 1 });
        case 'return':
          return this.#received.length;
        case 'fail':
          throw ApplicationFailure.nonRetryable('an event said so', 'ToldToFail');
      }
    }
  }

  /** Takes what has arrived, without waiting for more. */
  async drain(): Promise<void> {
    while (this.#held.size > 0) {
      const event = await nextEvent<ChaosEvent['data']>(...this.#held, { timeout: 0 });
      if (event === undefined) return;
      this.#take(event);
    }
  }

  async #subscribe(firstRunId: string): Promise<void> {
    for (let wanted = this.#wanted.shift(); wanted; wanted = this.#wanted.shift()) {
      const subscription = await subscribe(wanted.source, toCel(wanted.filter));
      this.#subscriptions.push(subscription);
      this.#held.add(subscription);
      await tell({ kind: 'held', firstRunId, subscription, wanted });
    }
  }

  /** Records the event. Returns the command in it, if it is for the subscription that got it. */
  #take({ id, subscription = '', data }: ChaosEvent): Command | undefined {
    this.#received.push([this.#subscriptions.indexOf(subscription), id]);
    const { command } = data.body.json;
    return command?.subscription === subscription ? command : undefined;
  }
}

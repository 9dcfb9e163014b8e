// Does what a listener has to do in a run: begins attempts, stores deliveries, tells those that are
// stored how they ended, and wakes when the next attempt is due.

import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  patched,
  proxyActivities,
  setCurrentDetails,
  sleep,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';

import type { createDeliveryActivities } from '../activities/deliveries.ts';
import type { AttemptRecord, AttemptRequest } from '../events/listener.ts';
import { listenerDetails } from './details.ts';
import { TaskBudget } from './listener-budget.ts';
import type { Attempted, Beginning } from './listener-delivery.ts';
import {
  EVENT_NOT_ON_RECORD,
  toSummary,
  type ListenerInput,
  type ListenerMemo,
  type ListenerView,
} from './listener-messages.ts';
import { PATCHES } from './listener-patches.ts';
import { Listener } from './listener-state.ts';
import { Subscriptions } from './listener-subscriptions.ts';
import { continueAsNewSuggested } from './subscribe.ts';

/** After so many events in its history a run continues as new, ... */
const HISTORY_EVENTS_PER_RUN = 4_000;

/** ... or after so many bytes: whoever looks at an attempt reads all of them. */
const HISTORY_BYTES_PER_RUN = 8 * 1024 * 1024;

/** The server delays the next run of one that continues as new sooner than this. */
const RUN_MS_MIN = 1_500;

/** What an attempt may take besides the request: reading the event, and its turn to begin. */
const ATTEMPT_MARGIN_MS = 30_000;

/** A worker that is gone is noticed after this. */
const HEARTBEAT_MS_MAX = 8_000;

/** How many batches are stored at once. */
const STORES_AT_ONCE = 4;

/** Nothing of an exception is on record: it could have anything in it. */
const UNEXPECTED = 'The attempt was not made, because of an unexpected error.';

interface AttemptActivities {
  nexteventAttempt(request: AttemptRequest): Promise<AttemptRecord>;
}

const { nexteventStoreDeliveries, nexteventEndDeliveries } = proxyActivities<
  ReturnType<typeof createDeliveryActivities>
>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: 100, maximumInterval: 10_000 },
});

export class ListenerRun {
  readonly input: ListenerInput;
  readonly listener: Listener;
  readonly subscriptions: Subscriptions;
  /** Something has changed since it was looked at last. */
  #isChanged = true;
  #written: ListenerMemo;
  #storing = 0;
  #isEnding = false;
  readonly #budget = new TaskBudget(() => patched('bounds-tasks'));
  #isRenewing = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #timer: CancellationScope | undefined;

  constructor(input: ListenerInput) {
    this.input = input;
    this.listener = new Listener(input.memo, input.state, PATCHES);
    this.subscriptions = new Subscriptions(input.state, (event) => {
      this.listener.receive(event, Date.now());
      this.changed();
    });
    // Whoever starts a run writes it.
    this.#written = input.memo;
  }

  get view(): ListenerView {
    return { ...this.listener.memo, id: this.input.id, ...this.listener.figures };
  }

  /** Whatever changes the listener has to say so. */
  changed(): void {
    this.#isChanged = true;
  }

  /** Does what there is to do until the run is over, or the listener is. */
  async untilOver(): Promise<void> {
    for (;;) {
      this.#isChanged = false;
      this.#act();
      if (this.#isOver()) return;
      await condition(() => this.#isChanged || this.#isOver());
    }
  }

  #act(): void {
    const { listener } = this;
    const budget = this.#budget;
    if (this.#written !== listener.memo) upsertMemo(listener.memo);
    this.#written = listener.memo;
    setCurrentDetails(listenerDetails(this.view));
    while (this.#storing < STORES_AT_ONCE) {
      const deliveries = listener.store.toStore(budget);
      if (deliveries.length === 0) break;
      void this.#storeAll(deliveries);
    }
    if (!this.#isEnding) {
      const deliveries = listener.store.toEnd(budget);
      if (deliveries.length > 0) void this.#endAll(deliveries);
    }
    if (!this.isLong()) {
      for (const beginning of listener.begin(Date.now(), budget)) void this.#attempt(beginning);
      if (!budget.isShort) this.#wake(listener.wakeAt());
    }
    if (budget.isShort && !this.#isRenewing) void this.#renew();
  }

  /** It is time for the next run: nothing more is begun. */
  isLong(): boolean {
    const { historyLength, historySize, runStartTime } = workflowInfo();
    if (this.subscriptions.isFull) return true;
    if (Date.now() - runStartTime.getTime() < RUN_MS_MIN) return false;
    return (
      historyLength >= (this.input.historyEventsMax ?? HISTORY_EVENTS_PER_RUN) ||
      historySize >= HISTORY_BYTES_PER_RUN ||
      continueAsNewSuggested()
    );
  }

  #isOver(): boolean {
    const isLast = this.listener.status === 'removed' || this.isLong();
    return isLast && this.listener.isIdle && allHandlersFinished() && !this.#isBehind();
  }

  /** The next run can be handed little of what is unread: all of it is taken by this one. */
  #isBehind(): boolean {
    return this.subscriptions.areBehind && patched('reads-first');
  }

  async #attempt(beginning: Beginning): Promise<void> {
    const { number } = beginning.delivery;
    const { runId } = workflowInfo();
    const { spent } = this.#budget;
    const result = await this.#resultOf(beginning);
    this.#budget.passed(spent);
    const moment = { now: Date.now(), chance: Math.random() };
    this.listener.attempted({ ...result, number, runId }, moment);
    this.changed();
  }

  async #resultOf(beginning: Beginning): Promise<Omit<Attempted, 'number' | 'runId'>> {
    const { delivery, activityId, event, reason } = beginning;
    const { type, eventId, attempts } = delivery;
    const { definition } = this.listener;
    const { nexteventAttempt } = proxyActivities<AttemptActivities>({
      activityId,
      summary: toSummary(`attempt ${attempts.length + 1}: ${type} ${eventId}`),
      startToCloseTimeout: definition.timeoutMs + ATTEMPT_MARGIN_MS,
      heartbeatTimeout: HEARTBEAT_MS_MAX,
      // Of an attempt whose worker is gone. What the receiver answers is a result.
      retry: { initialInterval: 100, maximumInterval: 10_000 },
    });
    const what = event === undefined ? { storedIn: delivery.number, eventId } : { event };
    const request = { listener: this.input.id, definition, reason, ...what };
    try {
      return await nexteventAttempt(request);
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      return { isSuccessful: false, isFinal: true, message: reasonOf(error) };
    }
  }

  async #storeAll(deliveries: ReturnType<Listener['store']['toStore']>): Promise<void> {
    this.#storing += 1;
    const { spent } = this.#budget;
    await nexteventStoreDeliveries({ listener: this.input.id, deliveries });
    this.#budget.passed(spent);
    this.#storing -= 1;
    this.listener.stored(deliveries.map(({ delivery }) => delivery.number));
    this.changed();
  }

  async #endAll(deliveries: ReturnType<Listener['store']['toEnd']>): Promise<void> {
    this.#isEnding = true;
    const { spent } = this.#budget;
    await nexteventEndDeliveries({ listener: this.input.id, deliveries });
    this.#budget.passed(spent);
    this.#isEnding = false;
    this.listener.store.ended(deliveries.length);
    this.changed();
  }

  /** What does not fit into this task is for the next one, which comes with this timer. */
  async #renew(): Promise<void> {
    this.#isRenewing = true;
    const { spent } = this.#budget;
    await sleep(1, { summary: 'until the next task' });
    this.#isRenewing = false;
    this.#budget.passed(spent);
    this.changed();
  }

  /** One timer, for what is due first: one that rings too early costs less than another one. */
  #wake(at = Number.POSITIVE_INFINITY): void {
    if (at >= this.#wakeAt) return;
    this.#timer?.cancel();
    const timer = new CancellationScope();
    this.#timer = timer;
    this.#wakeAt = at;
    // Cancelled, because something else is due before: there is another timer then.
    timer.run(() => this.#ring(at)).catch(() => {});
  }

  async #ring(at: number): Promise<void> {
    const waitMs = Math.max(1, at - Date.now());
    await sleep(waitMs, { summary: 'until the next attempt is due' });
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.changed();
  }
}

function reasonOf({ cause }: ActivityFailure): string {
  const isGone = cause instanceof ApplicationFailure && cause.type === EVENT_NOT_ON_RECORD;
  return isGone ? 'The event is not on record any more.' : UNEXPECTED;
}

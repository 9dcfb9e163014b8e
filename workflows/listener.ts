// A listener: it subscribes as every workflow does, and delivers what comes. What is to be done is
// decided in listener-state.ts and done in listener-run.ts; here is what can be asked of it.

import { ApplicationFailure } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  proxyActivities,
  setHandler,
  upsertMemo,
} from '@temporalio/workflow';

import type { createDeliveryActivities } from '../activities/deliveries.ts';
import type { ListenerDefinition } from '../events/listener.ts';
import type { EventKey } from './listener-delivery.ts';
import {
  activateListenerUpdate,
  changeListenerUpdate,
  deactivateListenerUpdate,
  deliveriesQuery,
  LISTENER_CHANGED,
  listenerQuery,
  listenerReadyUpdate,
  redeliverUpdate,
  removeListenerUpdate,
  retireListenerUpdate,
  type Changed,
  type ListenerInput,
  type ListenerMemo,
  type ListenerView,
} from './listener-messages.ts';
import { toTime } from './listener-packing.ts';
import { ListenerRun } from './listener-run.ts';
import { REMOVED } from './listener-status.ts';
import { onReset } from './reset.ts';

/** How many deliveries can be asked for again at once. */
export const REDELIVERIES_MAX = 100;

/** Whoever makes a listener asks within this whether it has begun. */
const ASKED_WITHIN = '1 minute';

const { nexteventCopyDelivery } = proxyActivities<ReturnType<typeof createDeliveryActivities>>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: 100, maximumInterval: 10_000 },
});

/** Runs until it is removed: a request to cancel it is ignored. */
export function nexteventListener(input: ListenerInput): Promise<void> {
  return CancellationScope.nonCancellable(() => runListener(input));
}

async function runListener(input: ListenerInput): Promise<void> {
  const run = new ListenerRun(input);
  const begun = new Begun(input.state !== undefined);
  onReset(() => run.listener.skipNumbers(Date.now()));
  answer(run, begun);
  if (input.state === undefined) {
    try {
      await run.subscriptions.replace(input.memo.definition);
    } catch (error) {
      await failBeginning(run, begun, error);
    }
    begun.succeed();
  }
  await run.untilOver();
  if (run.listener.status === 'removed') return;
  const { memo } = run.listener;
  const state = { ...run.listener.toState(), ...run.subscriptions.toState() };
  // The SDK does not carry the memo: pass it on, or a reader of the new run finds none.
  await makeContinueAsNewFunc<typeof nexteventListener>({ memo })({ ...input, memo, state });
}

/** Its end would break off the update of whoever has made it, and wants to know why. */
async function failBeginning(run: ListenerRun, begun: Begun, error: unknown): Promise<never> {
  const statusMessage = error instanceof Error ? error.message : String(error);
  upsertMemo({ ...run.listener.memo, status: 'removed', statusMessage } satisfies ListenerMemo);
  begun.fail(error);
  await condition(() => begun.isAskedFor, ASKED_WITHIN);
  await condition(allHandlersFinished);
  throw error;
}

/** Whether it has subscribed for the first time. */
class Begun {
  isAskedFor = false;
  #isOver: boolean;
  #failure: unknown;

  constructor(isOver: boolean) {
    this.#isOver = isOver;
  }

  succeed(): void {
    this.#isOver = true;
  }

  fail(failure: unknown): void {
    this.#isOver = true;
    this.#failure = failure;
  }

  /** Rejects with what `subscribe` has thrown. */
  async wait(): Promise<void> {
    this.isAskedFor = true;
    await condition(() => this.#isOver);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function answer(run: ListenerRun, begun: Begun): void {
  const { listener } = run;
  const changes = new Changes(run);
  setHandler(listenerQuery, () => run.view, { description: 'This listener, as it is.' });
  setHandler(
    deliveriesQuery,
    (number) => (number === undefined ? listener.deliveries : [listener.find(number) ?? []].flat()),
    { description: 'The newest deliveries that are pending, and the newest that are not.' },
  );
  setHandler(listenerReadyUpdate, async (): Promise<ListenerView> => {
    await begun.wait();
    return run.view;
  });
  setHandler(
    changeListenerUpdate,
    async (definition, before) => {
      await begun.wait();
      return changes.change(definition, before);
    },
    { validator: (_definition, _before) => assertNotRemoved(run) },
  );
  setHandler(
    activateListenerUpdate,
    async () => {
      await begun.wait();
      return changes.activate();
    },
    { validator: () => assertNotRemoved(run) },
  );
  setHandler(
    retireListenerUpdate,
    async (statusMessage) => {
      await begun.wait();
      return changes.retire(statusMessage);
    },
    { validator: (_statusMessage) => assertNotRemoved(run) },
  );
  setHandler(
    deactivateListenerUpdate,
    (statusMessage) => changes.told(listener.deactivate(statusMessage || 'Deactivated')),
    { validator: (_statusMessage) => assertNotRemoved(run) },
  );
  setHandler(
    removeListenerUpdate,
    async () => {
      await begun.wait();
      return changes.remove();
    },
    { validator: () => assertNotRemoved(run) },
  );
  setHandler(redeliverUpdate, (numbers) => redeliver(run, numbers), {
    validator: (numbers) => assertRedeliverable(run, numbers),
  });
}

/** Changes of a listener, one after the other. */
class Changes {
  readonly #run: ListenerRun;
  #last: Promise<unknown> = Promise.resolve();

  constructor(run: ListenerRun) {
    this.#run = run;
  }

  /** `before`: what whoever asks for it has changed. Nothing else must have changed it meanwhile. */
  async change(definition: ListenerDefinition, before?: ListenerDefinition): Promise<Changed> {
    const { listener, subscriptions } = this.#run;
    let haveEnded = false;
    const changed = await this.#next(async () => {
      assertNotRemoved(this.#run);
      if (before !== undefined && !listener.isDefinedAs(before)) {
        throw refusal(LISTENER_CHANGED, 'the listener was changed meanwhile');
      }
      if (!listener.memo.isRetired) haveEnded = await subscriptions.replace(definition);
      return this.told(listener.change(definition));
    });
    if (haveEnded) await subscriptions.untilWithdrawn(() => this.#run.isLong());
    return changed;
  }

  activate(): Promise<Changed> {
    return this.#next(async () => {
      assertNotRemoved(this.#run);
      const { listener, subscriptions } = this.#run;
      if (listener.memo.isRetired) await subscriptions.replace(listener.definition);
      return this.told(listener.activate());
    });
  }

  async retire(statusMessage: string): Promise<Changed> {
    const { listener, subscriptions } = this.#run;
    const retired = await this.#next(async () => {
      await subscriptions.drain();
      return this.told(listener.retire(statusMessage));
    });
    await subscriptions.untilWithdrawn(() => this.#run.isLong());
    return retired;
  }

  remove(): Promise<Changed> {
    return this.#next(async () => {
      await this.#run.subscriptions.end();
      return this.told(this.#run.listener.remove(Date.now()));
    });
  }

  told(changed: boolean): Changed {
    this.#run.changed();
    return { changed, listener: this.#run.view };
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    // Whoever asked for it is told.
    this.#last = next.catch(() => {});
    return next;
  }
}

/** Each under a number of its own, in this order. */
async function redeliver(run: ListenerRun, numbers: readonly number[]): Promise<readonly number[]> {
  const { input, listener } = run;
  const now = Date.now();
  const createdAt = toTime(now);
  const copies = numbers.map(async (redeliveryOf) => {
    const number = listener.reserve();
    const [attempt] = listener.find(redeliveryOf)?.attempts ?? [];
    const copy = { listener: input.id, number, redeliveryOf, createdAt };
    const key: EventKey = await nexteventCopyDelivery({ ...copy, ...(attempt && { attempt }) });
    return { number, redeliveryOf, ...key };
  });
  const copied = await Promise.allSettled(copies);
  const given: number[] = [];
  for (const result of copied) {
    if (result.status === 'rejected') continue;
    listener.redeliver(result.value, now);
    given.push(result.value.number);
  }
  run.changed();
  const lost = numbers.filter((_, place) => copied[place]?.status === 'rejected');
  if (lost.length === 0) return given;
  const others = given.length > 0 ? `; the others are delivered again as ${given.join(', ')}` : '';
  throw refusal(
    'UnknownListenerError',
    `delivery ${lost.join(', ')} is not on record any more${others}`,
  );
}

function assertNotRemoved({ listener }: ListenerRun): void {
  if (listener.status === 'removed') throw refusal('ListenerConflictError', REMOVED);
}

function assertRedeliverable({ listener, input }: ListenerRun, numbers: readonly number[]): void {
  const count = numbers.length;
  if (count > REDELIVERIES_MAX) {
    const message = `${count} deliveries are asked for again, at most ${REDELIVERIES_MAX} at once`;
    throw refusal('ListenerConflictError', message);
  }
  if (listener.status !== 'active') {
    throw refusal('ListenerConflictError', `listener "${input.id}" is ${listener.status}`);
  }
  for (const number of numbers) {
    if (!Number.isInteger(number) || number < 1 || number > listener.figures.deliveries) {
      throw refusal('UnknownListenerError', `there is no delivery ${number}`);
    }
    if (listener.find(number)?.status === 'pending') {
      throw refusal('ListenerConflictError', `delivery ${number} is pending`);
    }
  }
}

function refusal(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}

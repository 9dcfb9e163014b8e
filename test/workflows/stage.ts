// What workflows of the tests share. They show how far they are and wait to be told to go
// on, so that a test need not guess when something has happened.

import { ApplicationFailure } from '@temporalio/common';
import { condition, defineSignal, setHandler } from '@temporalio/workflow';

import type { Event, SubscriptionId } from 'nextevent/workflow';

import { progressQuery, type Received } from './listening.ts';

export const goOnSignal = defineSignal('go-on');

export interface Stage {
  readonly subscribed: SubscriptionId[];
  readonly received: Received[];
  /** Waits until the test has said so often that this run goes on. */
  untilTold(times: number): Promise<void>;
  /** Shows what `nextEvent` gave. */
  show(event: Event | undefined): void;
}

export function setStage(): Stage {
  const subscribed: SubscriptionId[] = [];
  const received: Received[] = [];
  let told = 0;
  setHandler(progressQuery, () => ({ subscribed, received }));
  setHandler(goOnSignal, () => {
    told += 1;
  });
  return {
    subscribed,
    received,
    async untilTold(times) {
      await condition(() => told >= times);
    },
    show(event) {
      received.push({ id: event?.id ?? 'none', subscription: event?.subscription });
    },
  };
}

/** The type and the message of the failure, or what was returned instead of it. */
export interface Outcome {
  readonly type?: string;
  readonly message?: string;
  readonly retryable?: boolean;
  readonly returned?: unknown;
}

/** What a call came to. A failure must be the error that its type names. */
export async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { returned: (await call()) ?? 'undefined' };
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw error;
    const type = error.type ?? '';
    if (error.constructor.name !== type) throw new Error(`${type} is no class`, { cause: error });
    return { type, message: error.message, retryable: error.nonRetryable !== true };
  }
}

import { ApplicationFailure, condition, continueAsNew, setHandler } from '@temporalio/workflow';
import { continueAsNewSuggested, nextEvent, subscribe } from 'nextevent/workflow';

import type { SubscriptionId } from 'nextevent/workflow';

import { progressQuery, type Received } from './listening.ts';
import { goOnSignal } from './stage.ts';

export interface HoardInput {
  readonly source: string;
  readonly id?: SubscriptionId;
  /** Whether the next run is to hoard what this one has subscribed to. */
  readonly handsOn?: boolean;
  readonly received: readonly Received[];
  /** What `nextEvent` threw when there was no more to read. */
  readonly thrown?: string;
}

/**
 * Subscribes and reads nothing until it is told to. Then it reads all there is, continues as new
 * when it is told that nothing more comes, and returns at an event whose id begins with `end`.
 */
export async function hoard(input: HoardInput): Promise<HoardInput> {
  const received = [...input.received];
  const id = input.id ?? (await subscribe(input.source));
  if (input.handsOn === true) {
    return continueAsNew<typeof hoard>({ source: input.source, id, handsOn: false, received });
  }
  let isTold = input.id !== undefined && input.handsOn === undefined;
  setHandler(progressQuery, () => ({ subscribed: [id], received }));
  setHandler(goOnSignal, () => {
    isTold = true;
  });
  await condition(() => isTold);
  try {
    for (;;) {
      const event = await nextEvent(id);
      received.push({ id: event.id, subscription: event.subscription });
      if (event.id.startsWith('end')) return { ...input, received };
    }
  } catch (error) {
    if (!(error instanceof ApplicationFailure)) throw error;
    const suggested = continueAsNewSuggested() ? ', suggested' : '';
    const thrown = `${error.type}${suggested}`;
    return continueAsNew<typeof hoard>({ source: input.source, id, received, thrown });
  }
}

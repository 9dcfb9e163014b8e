// A delivery that did not succeed at once, or was never tried. Its input is the event: later
// attempts read it there. It knows nothing of them, and waits until the listener tells it the end.

import { ApplicationFailure } from '@temporalio/common';
import { CancellationScope, condition, setHandler, upsertMemo } from '@temporalio/workflow';

import type { Event } from '../events/event.ts';
import type { Delivery } from '../events/listener.ts';
import {
  DELIVERY_FAILED,
  endDeliverySignal,
  type DeliveryInput,
  type DeliveryMemo,
} from './listener-messages.ts';

/** Completes with the delivery as it is in the end; fails if the delivery has failed. */
export function nexteventDelivery({ delivery }: DeliveryInput, _event: Event): Promise<Delivery> {
  return CancellationScope.nonCancellable(async () => {
    const ended = delivery.status === 'pending' ? await untilEnded() : delivery;
    if (ended.status !== 'failed') return ended;
    throw ApplicationFailure.create({
      message: ended.message,
      type: DELIVERY_FAILED,
      nonRetryable: true,
      details: [ended],
    });
  });
}

async function untilEnded(): Promise<Delivery> {
  let ended: Delivery | undefined;
  setHandler(
    endDeliverySignal,
    (delivery) => {
      ended ??= delivery;
    },
    { description: 'The end of this delivery.' },
  );
  await condition(() => ended !== undefined);
  if (ended === undefined) throw new Error('unreachable');
  upsertMemo({ delivery: ended } satisfies DeliveryMemo);
  return ended;
}

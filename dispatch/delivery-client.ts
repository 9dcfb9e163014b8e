// The workflows of deliveries, as seen by who makes and ends them.

import type { Client } from '@temporalio/client';

import type { Delivery } from '../events/listener.ts';
import {
  DELIVERY_WORKFLOW_TYPE,
  deliveryWorkflowId,
  endDeliverySignal,
  toSummary,
  type DeliveryInput,
  type DeliveryMemo,
} from '../workflows/listener-messages.ts';
import type { DeliveryToStore } from '../workflows/listener-store.ts';
import { retrying, toFailureKind } from './failures.ts';
import { CALL_MS_MAX, startOnce } from './source-client.ts';

const ATTEMPT_MS_MAX = 1_500;

export class DeliveryClient {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Durable once it returns. Again with the same number: keeps the first. */
  async store(
    listener: string,
    { delivery, event }: DeliveryToStore,
    taskQueue: string,
  ): Promise<void> {
    const input: DeliveryInput = { delivery };
    const memo: DeliveryMemo = { delivery };
    await startOnce(() =>
      this.#attempt(() =>
        this.#client.workflow.start(DELIVERY_WORKFLOW_TYPE, {
          workflowId: deliveryWorkflowId(listener, delivery.number),
          taskQueue,
          args: [input, event],
          memo,
          staticSummary: toSummary(`${event.type} ${event.id} to ${listener}`),
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
        }),
      ),
    );
  }

  /** Tells a delivery's workflow what has become of it. None that runs needs to be told nothing. */
  async end(listener: string, delivery: Delivery): Promise<void> {
    const handle = this.#client.workflow.getHandle(deliveryWorkflowId(listener, delivery.number));
    try {
      await retrying(CALL_MS_MAX, () =>
        this.#attempt(() => handle.signal(endDeliverySignal, delivery)),
      );
    } catch (error) {
      if (toFailureKind(error) !== 'gone') throw error;
    }
  }

  #attempt<T>(call: () => Promise<T>): Promise<T> {
    return this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, call);
  }
}

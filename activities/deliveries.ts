// What listeners have done with the workflows of their deliveries. All of it may be done again.

import { Context } from '@temporalio/activity';

import type { DeliveryClient } from '../dispatch/delivery-client.ts';
import type { DeliveryReader } from '../dispatch/delivery-reading.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import type { AttemptReference, Delivery } from '../events/listener.ts';
import type { EventKey } from '../workflows/listener-delivery.ts';
import type { DeliveryToStore } from '../workflows/listener-store.ts';

/** How many workflows are started or told at once. */
const WORKFLOWS_AT_ONCE = 16;

export interface DeliveryActivitiesDeps {
  readonly client: DeliveryClient;
  readonly reader: DeliveryReader;
}

export interface StoreDeliveriesRequest {
  readonly listener: string;
  readonly deliveries: readonly DeliveryToStore[];
}

export interface EndDeliveriesRequest {
  readonly listener: string;
  readonly deliveries: readonly Delivery[];
}

export interface CopyDeliveryRequest {
  readonly listener: string;
  /** Of the new delivery. */
  readonly number: number;
  readonly redeliveryOf: number;
  /** An attempt that has the event in its request, where it is known. */
  readonly attempt?: AttemptReference;
  /** In RFC 3339. */
  readonly createdAt: string;
}

export function createDeliveryActivities({ client, reader }: DeliveryActivitiesDeps) {
  return {
    /** Each becomes the input of a workflow of its own. */
    async nexteventStoreDeliveries(request: StoreDeliveriesRequest): Promise<void> {
      const { listener, deliveries } = request;
      const { taskQueue } = Context.current().info;
      await sideBySide(deliveries, WORKFLOWS_AT_ONCE, (stored) =>
        client.store(listener, stored, taskQueue),
      );
    },

    /** Tells their workflows. One that somebody has ended needs to hear nothing. */
    async nexteventEndDeliveries({ listener, deliveries }: EndDeliveriesRequest): Promise<void> {
      await sideBySide(deliveries, WORKFLOWS_AT_ONCE, (delivery) => client.end(listener, delivery));
    },

    /**
     * Stores the event of a delivery again, under another number.
     *
     * @throws EventNotOnRecordError, which is not retried
     */
    async nexteventCopyDelivery(request: CopyDeliveryRequest): Promise<EventKey> {
      const { listener, number, redeliveryOf, attempt, createdAt } = request;
      const event = await reader.eventOf(listener, redeliveryOf, attempt);
      const { id: eventId, source, type } = event;
      const key = { eventId, source, type };
      const pending = { status: 'pending', message: '', attempts: [] } as const;
      const delivery = { number, ...key, ...pending, createdAt, redeliveryOf };
      const { taskQueue } = Context.current().info;
      await client.store(listener, { delivery, event }, taskQueue);
      return key;
    },
  };
}

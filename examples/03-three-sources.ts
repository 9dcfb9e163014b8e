// One workflow on three sources: an order in the shop starts it, then payments, warehouse and
// carrier report on that order, each in its own time, until it is delivered.
//
//   curl -X POST http://127.0.0.1:8088/webhooks/shop \
//     -H 'content-type: application/json' -d '{"id":"A-17"}'
//   curl -X POST http://127.0.0.1:8088/webhooks/payments \
//     -H 'content-type: application/json' -d '{"order":"A-17","status":"paid"}'
//   curl -X POST http://127.0.0.1:8088/webhooks/carrier \
//     -H 'content-type: application/json' -d '{"order":"A-17","status":"delivered"}'

import { defineQuery, setHandler } from '@temporalio/workflow';
import { cel, events, subscribe, type Event } from 'nextevent/workflow';

type Order = { body: { json: { id: string } } };
type Report = { body: { json: { status: string } } };

/** What has happened to the order so far. */
export const progressQuery = defineQuery<readonly string[]>('progress');

export async function fulfilment(placed: Event<Order>): Promise<readonly string[]> {
  const progress: string[] = [];
  setHandler(progressQuery, () => progress);

  const aboutOrder = cel`data.body.json.order == ${placed.data.body.json.id}`;
  const payments = await subscribe('payments', aboutOrder);
  const warehouse = await subscribe('warehouse', aboutOrder);
  const carrier = await subscribe('carrier', aboutOrder);

  // In the order in which they arrived, whatever source they are from.
  for await (const event of events<Report>(payments, warehouse, carrier)) {
    const { status } = event.data.body.json;
    progress.push(`${event.source}: ${status}`);
    if (event.subscription === carrier && status === 'delivered') break;
  }
  return progress;
}

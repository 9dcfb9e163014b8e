// An approval with a time limit. An order starts the workflow; a decision about that very
// order ends it, or two days without one (`decideWithinMs` in the order sets another limit).
//
//   curl -X POST http://127.0.0.1:8088/webhooks/orders \
//     -H 'content-type: application/json' -d '{"id":"A-17"}'
//   curl -X POST http://127.0.0.1:8088/webhooks/approvals \
//     -H 'content-type: application/json' -d '{"order":"A-17","approved":true}'

import { cel, nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';
import type { Event, WebhookData } from 'nextevent/workflow';

export async function approval(placed: Event<WebhookData>): Promise<string> {
  const order = placed.data.body.json as { id: string; decideWithinMs?: number };
  const decisions = await subscribe('approvals', cel`data.body.json.order == ${order.id}`);
  const decision = await nextEvent<WebhookData>(decisions, {
    timeout: order.decideWithinMs ?? '2 days',
  });
  await unsubscribe(decisions);
  if (decision === undefined) return 'timed out';
  const { approved } = decision.data.body.json as { approved: boolean };
  return approved ? 'approved' : 'rejected';
}

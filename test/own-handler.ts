// The example of docs/sources.md: a handler.

import { parseBody, webhook } from 'nextevent';
import { z } from 'zod';

const Order = z.object({ number: z.string(), total: z.number() });

export const orders = webhook({
  verify: 'none',
  async handler(request) {
    // The shop asks whether it may send orders here: answered, and no event.
    const { challenge } = request.query;
    if (challenge !== undefined) return { kind: 'preflight', response: { body: challenge } };
    const order = await parseBody(request, Order);
    // Nobody is to hear of samples.
    if (order.total === 0) return { kind: 'preflight', response: { status: 200 } };
    return { kind: 'event', type: 'order.placed', id: order.number, result: order };
  },
});

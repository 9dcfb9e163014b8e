// A later version of `plugged.ts`, which runs that began with the earlier one can not go on with.

import { cel, nextEvent, subscribe } from 'nextevent/workflow';

import type { Event } from 'nextevent/workflow';

type Order = { body: { json: { order: string } } };

/** Reads the decision by itself. */
export async function plugged({ data }: Event<Order>): Promise<string> {
  const { order } = data.body.json;
  const decisions = await subscribe('decisions', cel`data.body.json.order == ${order}`);
  const { id } = await nextEvent(decisions);
  return id;
}

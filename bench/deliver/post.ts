import { createHmac } from 'node:crypto';

import type { Event } from '../../events/event.ts';

const KEY = Buffer.alloc(32, 'k');

/** Sends an event as plainly as it can be, with a body and a signature like those of a listener. */
export async function postEvent(url: string, event: Event): Promise<number> {
  const body = JSON.stringify({ specversion: '1.0', ...event });
  const id = `msg_${event.id}`;
  const timestamp = Math.floor(Date.now() / 1_000);
  const signature = createHmac('sha256', KEY).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers = {
    'content-type': 'application/cloudevents+json',
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
  const response = await fetch(url, { method: 'POST', headers, body });
  await response.text();
  return response.status;
}

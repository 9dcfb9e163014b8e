import { setTimeout as sleep } from 'node:timers/promises';

import type { Posted, Posting } from './records.ts';

/** A sender that is told to wait sends again after this, in milliseconds. */
const AGAIN_MS = 200;

const urls = (process.env.CHURN_URLS ?? '').split(',');
let posted = 0;

/** The activity that posts an event through one ingress after the other. */
export function postEvent(posting: Posting): Promise<Posted> {
  posted += 1;
  return postTo(urls[posted % urls.length] ?? '', posting);
}

/** Posts until it is acknowledged, with the same id. */
export async function postTo(url: string, posting: Posting): Promise<Posted> {
  const begun = performance.now();
  for (;;) {
    const answer = await send(url, posting).catch(() => undefined);
    const tookMs = performance.now() - begun;
    if (answer?.status === 202) return { acknowledgedAt: Date.now(), tookMs, ...answer };
    await sleep(AGAIN_MS);
  }
}

async function send(
  url: string,
  posting: Posting,
): Promise<{ readonly status: number; readonly queued: boolean }> {
  const response = await fetch(`${url}/webhooks/churn`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': posting.id },
    body: JSON.stringify(posting),
  });
  const { queued = false } = (await response.json()) as { readonly queued?: boolean };
  return { status: response.status, queued };
}

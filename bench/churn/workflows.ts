// The workflows of bench/churn.ts: some that listen all the time, some that subscribe for a moment,
// over and over, and some that do without this library.

import { condition, proxyLocalActivities, setHandler, sleep } from '@temporalio/workflow';
import { cel, events, nextEvent, subscribe, unsubscribe } from 'nextevent/workflow';

import type { postEvent } from './post.ts';
import { bareSignal, type Cycle, type Receipt } from './records.ts';

const { postEvent: post } = proxyLocalActivities<{ postEvent: typeof postEvent }>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: 50, maximumInterval: 500 },
});

/** How long a workflow waits for an event that was acknowledged, before it counts as lost. */
const LOST_AFTER = '5 minutes';

interface Body {
  readonly body: { readonly json: { readonly end?: boolean } };
}

/** Gives what it got, and when, until an event says that it is the last. */
export async function listenThroughout(to: string): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  const all = await subscribe('churn', cel`data.body.json.to == ${to}`);
  for await (const { id, data } of events<Body>(all)) {
    if (data.body.json.end) break;
    receipts.push({ id, at: Date.now() });
  }
  return receipts;
}

interface ChurnInput {
  readonly name: string;
  /** From one subscription to the next. */
  readonly everyMs: number;
  /** In milliseconds since 1970. */
  readonly endAt: number;
}

/** Subscribes, has an event posted for that, gets it and unsubscribes, once in a while. */
export async function churn({ name, everyMs, endAt }: ChurnInput): Promise<Cycle[]> {
  const cycles: Cycle[] = [];
  for (let next = Date.now(); next < endAt; next = Math.max(next + everyMs, Date.now())) {
    await sleep(Math.max(1, next - Date.now()));
    const id = `${name}-${cycles.length}`;
    const subscription = await subscribe('churn', cel`data.body.json.to == ${id}`);
    const { acknowledgedAt, queued } = await post({ to: id, id });
    const event = await nextEvent(subscription, { timeout: LOST_AFTER });
    cycles.push({ isLost: event === undefined, afterMs: Date.now() - acknowledgedAt, queued });
    await unsubscribe(subscription);
  }
  return cycles;
}

/** Takes signals as a workflow does without this library. */
export async function takeSignals(): Promise<void> {
  let isOver = false;
  setHandler(bareSignal, ({ end }) => {
    isOver ||= end;
  });
  await condition(() => isOver);
}

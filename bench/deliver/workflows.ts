// What a listener is measured against.

import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';

import type { Event } from '../../events/event.ts';
import type { postEvent } from './post.ts';

/** Its argument is as large as that of an event's signal. */
const bareSignal = defineSignal<[Event]>('bare');

const activities = proxyActivities<{ postEvent: typeof postEvent }>({
  startToCloseTimeout: '1 minute',
});

/** Sends what it is signalled, and does nothing else. */
export async function deliverBare(url: string): Promise<void> {
  setHandler(bareSignal, (event) => {
    void activities.postEvent(url, event);
  });
  await condition(() => false);
}

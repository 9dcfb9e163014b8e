// Fills a source with subscriptions of workflows that are not there.

import { randomUUID } from 'node:crypto';

import { HOT_BYTES_MAX } from '../activities/state-sizes.ts';
import type { SourceClient } from '../dispatch/source-client.ts';
import { until } from './harness.ts';

/** How many registrations are in one signal. */
const REGISTRATIONS = 500;

/** Registers so many, in batches, and waits as `subscribe` does while the source moves what it has. */
export async function fill(client: SourceClient, source: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= REGISTRATIONS) {
    await until(`${source} has room`, async () => {
      const described = await client.describe(source);
      return (described?.memo?.hotBytes ?? 0) < HOT_BYTES_MAX && !described?.isPending;
    });
    const registrations = Array.from({ length: Math.min(left, REGISTRATIONS) }, registrationOf);
    await until('it takes them', async () => {
      return client.register(source, { registrations }).then(
        () => true,
        () => false,
      );
    });
  }
}

function registrationOf() {
  const [id, key, firstRunId] = [randomUUID(), randomUUID(), randomUUID()];
  const filter = `event_type == 'post' && data.body.json.order.id == '${key}'`;
  return { id, filter, workflowId: `order-${key}`, firstRunId };
}

// Fills a source with subscriptions of workflows that are not there.

import { randomUUID } from 'node:crypto';

import { HOT_BYTES_MAX } from '../activities/state-sizes.ts';
import { until } from './harness.ts';
import type { PatientSource } from './patient-source.ts';

/** How many registrations are in one signal, and how many signals go without a look. */
const REGISTRATIONS = 500;
const SIGNALS = 4;

export interface Filled {
  readonly id: string;
  readonly filter: string;
  readonly workflowId: string;
  readonly firstRunId: string;
}

/** Registers so many, in batches, and waits as `subscribe` does while the source moves what it has. */
export async function fill(
  client: PatientSource,
  source: string,
  count: number,
): Promise<Filled[]> {
  const filled: Filled[] = [];
  for (let signals = 0; filled.length < count; signals += 1) {
    if (signals % SIGNALS === 0) await untilRoom(client, source);
    const registrations = Array.from(
      { length: Math.min(count - filled.length, REGISTRATIONS) },
      registrationOf,
    );
    await client.register(source, { registrations });
    filled.push(...registrations);
  }
  return filled;
}

async function untilRoom(client: PatientSource, source: string): Promise<void> {
  await until(`${source} has room`, async () => {
    const described = await client
      .describe(source)
      .catch(() => ({ isPending: true, memo: undefined }));
    return !described?.isPending && (described?.memo?.hotBytes ?? 0) < HOT_BYTES_MAX;
  });
}

function registrationOf(): Filled {
  const [id, key, firstRunId] = [randomUUID(), randomUUID(), randomUUID()];
  const filter = `event_type == 'post' && data.body.json.order.id == '${key}'`;
  return { id, filter, workflowId: `order-${key}`, firstRunId };
}

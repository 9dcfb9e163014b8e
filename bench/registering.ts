// The workflows of bench/subscribe.ts: they register with a source, and say when they begin and
// when they have ended. One does so by `subscribe`, the other by a local activity of its own.

import {
  continueAsNew,
  condition,
  proxyLocalActivities,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { cel, subscribe } from 'nextevent/workflow';

import { SIGNALS_PER_RUN } from '../workflows/source-run.ts';
import { bareRegisterSignal, type BareRegistration } from './bare-source.ts';
import type { resumed } from './resumed.ts';
import type { signalBareSource } from './signal-bare-source.ts';

const activities = proxyLocalActivities<{
  resumed: typeof resumed;
  signalBareSource: typeof signalBareSource;
}>({ startToCloseTimeout: '1 minute' });

export interface Registering {
  readonly by: string;
  readonly round: number;
  readonly workflow: number;
  readonly registrations: number;
}

export function registerReal(input: Registering): Promise<void> {
  return register(input, async (place) => {
    await subscribe(
      'many',
      cel`data.body.json.order == ${`${workflowInfo().workflowId} ${place}`}`,
    );
  });
}

export function registerBare(input: Registering): Promise<void> {
  const { workflowId, firstExecutionRunId: firstRunId } = workflowInfo();
  return register(input, async (place) => {
    const filter = cel`data.body.json.order == ${`${workflowId} ${place}`}`;
    await activities.signalBareSource({ id: uuid4(), filter, workflowId, firstRunId });
  });
}

async function register(
  { by, round, workflow, registrations }: Registering,
  registerOne: (place: number) => Promise<void>,
): Promise<void> {
  await activities.resumed({ by, workflow, round: 2 * round });
  for (let place = 0; place < registrations; place += 1) await registerOne(place);
  await activities.resumed({ by, workflow, round: 2 * round + 1 });
  // What it holds is not removed within the measurement.
  await condition(() => false);
}

/** Holds what it is told, in a map, and goes on as new as the source workflow does. */
export async function bareSource(held: readonly BareRegistration[] = []): Promise<void> {
  const registered = new Map(held.map((registration) => [registration.id, registration]));
  let signals = 0;
  setHandler(bareRegisterSignal, (registration) => {
    signals += 1;
    registered.set(registration.id, registration);
  });
  await condition(() => signals >= SIGNALS_PER_RUN);
  await continueAsNew<typeof bareSource>([...registered.values()]);
}

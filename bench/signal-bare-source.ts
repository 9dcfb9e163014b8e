import { Client, Connection } from '@temporalio/client';

import { bareRegisterSignal, type BareRegistration } from './bare-source.ts';

let connecting: Promise<Connection> | undefined;

/** What somebody would write without this library: one call of the plain client. */
export async function signalBareSource(registration: BareRegistration): Promise<void> {
  connecting ??= Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '' });
  const client = new Client({ connection: await connecting });
  await client.workflow.signalWithStart('bareSource', {
    workflowId: 'bare-source',
    taskQueue: 'bench',
    signal: bareRegisterSignal,
    signalArgs: [registration],
  });
}

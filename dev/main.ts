// `npm start` and, with --reload, `npm run dev`: Temporal, the worker and the ingress.

import { StartError } from './errors.ts';
import { PortTakenError } from './ports.ts';
import { DevRuntime } from './runtime.ts';
import { ServiceError } from './service.ts';
import { resolveSettings } from './settings.ts';

try {
  process.exit(await main());
} catch (error) {
  console.error(toSentence(error));
  process.exit(1);
}

async function main(): Promise<number> {
  const runtime = new DevRuntime(resolveSettings(process.env, process.argv.slice(2)));
  // Repeated, for example by a terminal and by npm: the first one counts.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void runtime.stop(0));
  }
  try {
    // Asked to end, it does not wait for Temporal to be obtained.
    await Promise.race([runtime.start(), runtime.ended]);
  } catch (error) {
    console.error(toSentence(error));
    await runtime.stop(1);
  }
  return runtime.ended;
}

function toSentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isExpected =
    error instanceof StartError || error instanceof ServiceError || error instanceof PortTakenError;
  return isExpected ? error.message : (error.stack ?? error.message);
}

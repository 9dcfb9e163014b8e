import { toSentence } from './errors.ts';
import { DevRuntime } from './runtime.ts';
import type { Settings } from './settings.ts';

/** Runs Temporal, the worker and the ingress until a signal or a failure. Gives the exit code. */
export async function runDev(settings: Settings): Promise<number> {
  const runtime = new DevRuntime(settings);
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

// Runs one measurement: npm run bench -- wakeup

import { fanout } from './fanout.ts';
import { ingest } from './ingest.ts';
import { subscribing } from './subscribe.ts';
import { throughput } from './throughput.ts';
import { wakeup } from './wakeup.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  wakeup,
  throughput,
  fanout,
  ingest,
  subscribe: subscribing,
};

const name = process.argv[2] ?? '';
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  console.error(`npm run bench -- <name>, where <name> is ${Object.keys(benches).join(' or ')}`);
  process.exitCode = 1;
} else {
  await bench();
}

// Runs one measurement: npm run bench -- wakeup

import { churn } from './churn.ts';
import { wakeup } from './wakeup.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = { churn, wakeup };

const name = process.argv[2] ?? '';
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  console.error(`npm run bench -- <name>, where <name> is ${Object.keys(benches).join(' or ')}`);
  process.exitCode = 1;
} else {
  await bench();
}

// Runs one measurement: npm run bench -- wakeup

// Imported when it is run: some start Temporal's runtime, which is not for the others.
const benches: Readonly<Record<string, () => Promise<void>>> = {
  churn: async () => (await import('./churn.ts')).churn(),
  deliver: async () => (await import('./deliver.ts')).delivering(),
  fanout: async () => (await import('./fanout.ts')).fanout(),
  ingest: async () => (await import('./ingest.ts')).ingest(),
  match: async () => (await import('./match.ts')).match(),
  subscribe: async () => (await import('./subscribe.ts')).subscribing(),
  throughput: async () => (await import('./throughput.ts')).throughput(),
  verify: async () => (await import('./verify.ts')).verify(),
  wakeup: async () => (await import('./wakeup.ts')).wakeup(),
};

const name = process.argv[2] ?? '';
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  console.error(`npm run bench -- <name>, where <name> is ${Object.keys(benches).join(' or ')}`);
  process.exitCode = 1;
} else {
  await bench();
}

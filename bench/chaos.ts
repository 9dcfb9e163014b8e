// Kills and stops ingresses, workers and the Temporal server at random while events flow and
// subscribers come and go, and then counts what was lost, repeated, put out of order or left over.
//
//   npm run chaos -- --minutes 3 --events 5000 --subscribers 50 --seed 7

import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { toEvidence } from './chaos/evidence.ts';
import { runChaos } from './chaos/run.ts';

const SEEDS = 1_000_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    events: { type: 'string', default: '5000' },
    subscribers: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * SEEDS)) },
    terminate: { type: 'boolean', default: false },
    // A file for everything that is known of the run; one is written anyway if something is wrong.
    records: { type: 'string' },
  },
});

// So that what is to be done at the exit of this process is done.
process.once('SIGINT', () => process.exit(130));

const startedAt = performance.now();
const log = (line: string): void => {
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s  ${line}`);
};

const options = {
  minutes: toNumber('minutes', values.minutes),
  events: toNumber('events', values.events),
  subscribers: toNumber('subscribers', values.subscribers),
  seed: toNumber('seed', values.seed),
  terminates: values.terminate,
};
log(`${JSON.stringify(options)}; the server's database: SQLite, WAL, synchronous=NORMAL`);

const result = await runChaos({ ...options, log });
const { findings, records, unsettled } = result;
const bad = [findings.lost, findings.duplicated, findings.reordered, findings.leaked];
const isWrong = [...bad, findings.unexpected, unsettled].some(({ length }) => length > 0);
for (const line of toEvidence(result)) log(line);
if (isWrong || values.records !== undefined) {
  const path = values.records ?? join(tmpdir(), `nextevent-chaos-${process.pid}.json`);
  await writeFile(path, JSON.stringify({ options, ...result }));
  log(`everything that is known of this run is in ${path}`);
}
if (isWrong) process.exitCode = 1;
const attempts = records.events.reduce((sum, event) => sum + event.attempts, 0);
log(
  `${findings.expected} receipts and starts were due of ${records.events.length} events ` +
    `(${attempts} requests, ${records.events.filter(({ queued }) => queued).length} by way of a backlog); ` +
    `${records.subscribers.length} subscribers, ${records.subscriptions.length} subscriptions ` +
    `(${result.leftOver} left over until an event came), ${records.starts.length} starts; ` +
    `${result.kills} kills and ${result.stops} stops; seed ${options.seed}`,
);
console.log(
  JSON.stringify({
    bench: 'chaos',
    events: records.events.length,
    lost: findings.lost.length,
    duplicated: findings.duplicated.length,
    reordered: findings.reordered.length,
    leaked_subscriptions: findings.leaked.length,
    kills: result.kills,
  }),
);

function toNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new Error(`--${name} is "${text}", must be a number`);
}

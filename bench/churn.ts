// Events while subscriptions come and go: 50 workflows a second subscribe, get an event and
// unsubscribe, and 200 events a second come to one source, through one ingress and then two.
//
// A quarter of the events is for subscriptions that are a moment old: it was posted after
// `subscribe` had returned, so its workflow has to get it. The others are for workflows that listen
// all the time. An event is late if it reaches its workflow more than two seconds after its 202,
// by the clock of this machine, which all of the processes share.
//
// What the machine can do at all is measured first, in bare signals: an event is one, and a
// subscription with its event takes about eight operations of the kind. If that is less than is to
// be measured, all of it is made less by the same factor, and the last line says by which.

import { fileURLToPath } from 'node:url';

import type { Client, WorkflowHandle } from '@temporalio/client';

import { startProcess, startServer, type TestProcess } from '../test/harness.ts';
import { postTo } from './churn/post.ts';
import { bareSignal, type Cycle, type Posted, type Receipt } from './churn/records.ts';
import { round, summarise } from './statistics.ts';

const LISTENERS = 20;
const CHURNERS = 25;
const CYCLES_PER_SECOND = 50;
const EVENTS_PER_SECOND = 200;
const MEASURED_MS = 20_000;
const LATE_MS = 2_000;

/** Bare signals, in the same run: what the server and this machine can do at all. */
const BARE_MS = 5_000;
const BARE_AT_ONCE = 32;

/** What one event, and a quarter of a subscription, takes of that; with as much to spare. */
const BARE_PER_EVENT = 6;

const TASK_QUEUE = 'churn';

interface Result {
  readonly lost: number;
  readonly late: number;
  readonly slow_path_share: number;
  readonly events_per_second: number;
  readonly subscriptions_per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
  readonly ack_p50_ms: number;
  readonly ack_p99_ms: number;
}

/** Measures with one ingress and with two, and prints both. */
export async function churn(): Promise<void> {
  console.log(
    `${EVENTS_PER_SECOND} events and ${CYCLES_PER_SECOND} subscriptions a second, if the machine ` +
      `can, for ${MEASURED_MS / 1_000} s; late is more than ${LATE_MS} ms after the 202\n`,
  );
  const server = await startServer({ tuned: true });
  const results: Result[] = [];
  let bare = 0;
  try {
    for (const ingresses of [1, 2]) {
      const processes = await startProcesses(server.address, ingresses);
      try {
        bare ||= await measureBare(server.client);
        results.push(await measure(server.client, processes, shareOf(bare)));
      } finally {
        for (const one of [...processes.ingresses, processes.worker]) await one.kill();
      }
    }
  } finally {
    await server.stop();
  }
  const [one, two] = results;
  console.table({ 'one ingress': one, 'two ingresses': two });
  console.log(`bare signals to ${LISTENERS} workflows, ${BARE_AT_ONCE} at once: ${bare} a second`);
  const sums = {
    lost: sum(results.map(({ lost }) => lost)),
    late: sum(results.map(({ late }) => late)),
    slow_path_share: Math.max(...results.map((result) => result.slow_path_share)),
  };
  const rates = { bare_signals_per_second: bare, load_share: round(shareOf(bare)) };
  console.log(JSON.stringify({ bench: 'churn', ...sums, ...rates, one, two }));
}

/** How much of the load the machine can be asked for. */
function shareOf(bare: number): number {
  return Math.min(1, bare / (BARE_PER_EVENT * EVENTS_PER_SECOND));
}

interface Processes {
  readonly ingresses: readonly TestProcess[];
  readonly worker: TestProcess;
}

async function startProcesses(address: string, count: number): Promise<Processes> {
  const config = fileURLToPath(new URL('churn.config.ts', import.meta.url));
  const env = { TEMPORAL_ADDRESS: address, NEXTEVENT_CONFIG: config, MANAGEMENT_PORT: '0' };
  const ingresses: TestProcess[] = [];
  while (ingresses.length < count) ingresses.push(await startProcess('ingress', env));
  const CHURN_URLS = ingresses.map(({ url }) => url).join();
  return { ingresses, worker: await startProcess('worker', { ...env, CHURN_URLS }) };
}

async function measure(client: Client, { ingresses }: Processes, share: number): Promise<Result> {
  const urls = ingresses.map(({ url }) => url);
  const run = `${urls.length}-ingresses`;
  const listeners = await startListeners(client, run);
  const endAt = Date.now() + MEASURED_MS;
  const everyMs = (CHURNERS / (share * CYCLES_PER_SECOND)) * 1_000;
  const churners = await Promise.all(
    Array.from({ length: CHURNERS }, (_, number) =>
      client.workflow.start('churn', {
        workflowId: `churn-${run}-${number}`,
        taskQueue: TASK_QUEUE,
        args: [{ name: `${run}-${number}`, everyMs, endAt }],
      }),
    ),
  );
  const posted = await postEvents(urls, { run, endAt, share });
  const cycles = (await Promise.all(churners.map((churner) => churner.result()))).flat();
  for (const [number] of listeners.entries()) {
    const to = `${run}-listener-${number}`;
    await postTo(urls[0] ?? '', { to, id: `end-${to}`, end: true });
  }
  const receipts = (await Promise.all(listeners.map((listener) => listener.result()))).flat();
  return toResult(posted, receipts, cycles);
}

/** Resolves when all of them have subscribed. */
async function startListeners(
  client: Client,
  run: string,
): Promise<Array<WorkflowHandle<(to: string) => Promise<Receipt[]>>>> {
  const listeners = await Promise.all(
    Array.from({ length: LISTENERS }, (_, number) => {
      const to = `${run}-listener-${number}`;
      const options = { workflowId: to, taskQueue: TASK_QUEUE, args: [to] as [string] };
      return client.workflow.start<(to: string) => Promise<Receipt[]>>('listenThroughout', options);
    }),
  );
  for (const listener of listeners) {
    // Answered by the task after the one that subscribes.
    while ((await listener.query<readonly unknown[]>('nextevent:subscriptions')).length < 1);
  }
  return listeners;
}

/** Posts at an even pace, whether or not those before have been acknowledged. */
async function postEvents(
  urls: readonly string[],
  { run, endAt, share }: { readonly run: string; readonly endAt: number; readonly share: number },
): Promise<Map<string, Posted>> {
  const posted = new Map<string, Posted>();
  const posting: Array<Promise<unknown>> = [];
  const everyMs = 1_000 / (share * (EVENTS_PER_SECOND - CYCLES_PER_SECOND));
  const begun = performance.now();
  for (let number = 0; Date.now() < endAt; number += 1) {
    await sleep(begun + number * everyMs - performance.now());
    const to = `${run}-listener-${number % LISTENERS}`;
    const id = `${run}-event-${number}`;
    const one = postTo(urls[number % urls.length] ?? '', { to, id });
    posting.push(one.then((result) => posted.set(id, result)));
  }
  await Promise.all(posting);
  return posted;
}

function toResult(
  posted: ReadonlyMap<string, Posted>,
  receipts: readonly Receipt[],
  cycles: readonly Cycle[],
): Result {
  const received = new Map(receipts.map(({ id, at }) => [id, at]));
  const afterMs = cycles.filter(({ isLost }) => !isLost).map((cycle) => cycle.afterMs);
  let lost = cycles.filter(({ isLost }) => isLost).length;
  for (const [id, { acknowledgedAt }] of posted) {
    const at = received.get(id);
    if (at === undefined) lost += 1;
    else afterMs.push(at - acknowledgedAt);
  }
  const all = [...posted.values(), ...cycles];
  const latencies = summarise(afterMs.map((ms) => Math.max(0, ms)));
  const acknowledgements = summarise([...posted.values()].map(({ tookMs }) => tookMs));
  return {
    lost,
    late: afterMs.filter((ms) => ms > LATE_MS).length,
    slow_path_share: round(all.filter(({ queued }) => queued).length / all.length),
    events_per_second: round((all.length * 1_000) / MEASURED_MS),
    subscriptions_per_second: round((cycles.length * 1_000) / MEASURED_MS),
    p50_ms: round(latencies.p50),
    p99_ms: round(latencies.p99),
    max_ms: afterMs.reduce((most, ms) => Math.max(most, ms), 0),
    ack_p50_ms: round(acknowledgements.p50),
    ack_p99_ms: round(acknowledgements.p99),
  };
}

/** Signals a second that workflows take which do without this library. */
async function measureBare(client: Client): Promise<number> {
  const handles = await Promise.all(
    Array.from({ length: LISTENERS }, (_, number) =>
      client.workflow.start('takeSignals', {
        workflowId: `bare-${number}`,
        taskQueue: TASK_QUEUE,
        args: [],
      }),
    ),
  );
  const endAt = performance.now() + BARE_MS;
  let sent = 0;
  const send = async (): Promise<void> => {
    while (performance.now() < endAt) {
      sent += 1;
      await handles[sent % LISTENERS]?.signal(bareSignal, { end: false });
    }
  };
  await Promise.all(Array.from({ length: BARE_AT_ONCE }, send));
  for (const handle of handles) await handle.signal(bareSignal, { end: true });
  return Math.round((sent * 1_000) / BARE_MS);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

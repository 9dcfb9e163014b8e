// One chaos run: the load and the blows side by side; then everything settles; then what Temporal
// has is read, and checked against what was posted.

import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';

import { Client } from '@temporalio/client';

import { connectWithoutRetry } from '../../dispatch/dispatcher.ts';
import { SourceClient } from '../../dispatch/source-client.ts';
import { startRestartableServer } from '../../test/restartable.ts';
import { check, type Findings } from './checker.ts';
import { sleep } from './clock.ts';
import { bodyFor, toCel } from './filters.ts';
import { planLoad } from './load.ts';
import { dealBlows, planBlows, type Blows } from './killer.ts';
import { createRandom } from './random.ts';
import type { HeldSubscription, Records } from './records.ts';
import { Reports } from './reports.ts';
import { Sender } from './sender.ts';
import { SubscriberPlace } from './subscribers.ts';
import { readRegistered, readStarts, readSubscribers, untilIdle } from './truth.ts';
import { ProcessVictim, ServerVictim, type Victim } from './victims.ts';

/** How long everything may take to settle after the load. */
const SETTLE_MS_MAX = 300_000;

/** How often it says what it waits for then. */
const TELL_EVERY_MS = 30_000;

/** How long a source may take to drop a subscription of a workflow that is gone. */
const CLEAN_MS_MAX = 120_000;
const CLEAN_LOOK_MS = 1_000;

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly events: number;
  readonly subscribers: number;
  /** Whether workflows are terminated, too. */
  readonly terminates: boolean;
  readonly log: (line: string) => void;
}

export interface ChaosResult extends Blows {
  readonly records: Records;
  readonly findings: Findings;
  /** What subscribers still had to do when the time to settle was over. */
  readonly unsettled: readonly string[];
  /** Subscriptions of ended workflows that were there until an event came for them. */
  readonly leftOver: number;
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { log } = options;
  const server = await startRestartableServer();
  const connection = await connectWithoutRetry({ address: server.address });
  const reports = new Reports();
  const env = {
    TEMPORAL_ADDRESS: server.address,
    NEXTEVENT_CONFIG: fileURLToPath(new URL('../chaos.config.ts', import.meta.url)),
  };
  const temporal = new ServerVictim(server, log);
  const workers = [1, 2].map(
    (number) => new ProcessVictim('worker', number, { env, log, onMessage: reports.onMessage }),
  );
  const ingresses = [1, 2].map((number) => new ProcessVictim('ingress', number, { env, log }));
  const victims = [temporal, ...workers, ...ingresses];
  try {
    await Promise.all(victims.map((victim) => victim.untilUp()));
    const urls = (): string[] => ingresses.map(({ url }) => url);
    const sender = new Sender(urls, createRandom(options.seed, 'sender'));
    const client = new Client({ connection });
    return await new ChaosRun(options, { client, sender, reports, victims }).run();
  } finally {
    for (const victim of victims.toReversed()) await victim.end();
    await connection.close();
    await server.stop();
  }
}

interface Deps {
  readonly client: Client;
  readonly sender: Sender;
  readonly reports: Reports;
  /** The server first. */
  readonly victims: readonly Victim[];
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #deps: Deps;
  readonly #sources: SourceClient;
  /** The sources that did not settle. */
  readonly #busy: string[] = [];

  constructor(options: ChaosOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
    this.#sources = new SourceClient(deps.client);
  }

  async run(): Promise<ChaosResult> {
    const { seed, minutes, terminates, log } = this.#options;
    const { reports, victims } = this.#deps;
    const loading = new AbortController();
    setMaxListeners(0, loading.signal);
    const places = Array.from({ length: this.#options.subscribers }, (_, number) => {
      const deps = { ...this.#deps, terminates, signal: loading.signal };
      return new SubscriberPlace(number, deps, createRandom(seed, `subscriber ${number}`));
    });
    const living = Promise.all(places.map((place) => place.run()));
    living.catch(() => {});
    // What comes before anybody holds a subscription is due to nobody.
    await Promise.race([living, Promise.all(places.map(({ begun }) => begun))]);
    const [blows] = await Promise.all([
      dealBlows(
        planBlows(
          seed,
          minutes,
          victims.map(({ weight }) => weight),
        ),
        victims,
        log,
      ),
      this.#load(),
    ]);
    log(`load and blows are over: ${blows.kills} kills, ${blows.stops} stops`);
    const telling = setInterval(() => log(whoIsAwaited(victims)), TELL_EVERY_MS);
    try {
      await Promise.all(victims.map((victim) => victim.untilUp()));
      loading.abort();
      const late = setTimeout(() => reports.end(), SETTLE_MS_MAX);
      await living.finally(() => clearTimeout(late));
    } finally {
      clearInterval(telling);
    }
    await this.#settle();
    return { ...blows, ...(await this.#check(places)) };
  }

  async #load(): Promise<void> {
    const { sender } = this.#deps;
    const startedAt = performance.now();
    const posting: Array<Promise<unknown>> = [];
    for (const { atMs, source, body } of planLoad(this.#options)) {
      await sleep(Math.max(0, startedAt + atMs - performance.now()));
      await sender.untilRoom();
      posting.push(sender.post(source, body));
    }
    await Promise.all(posting);
  }

  async #check(places: readonly SubscriberPlace[]): Promise<Omit<ChaosResult, keyof Blows>> {
    const { client, sender } = this.#deps;
    const subscriptions = places.flatMap((place) => place.subscriptions);
    const leftOver = await this.#clean(subscriptions);
    const subscribers = await readSubscribers(
      client,
      places.flatMap(({ chains }) => chains),
    );
    const records = {
      events: sender.events,
      subscriptions,
      subscribers,
      starts: await readStarts(client, sender.events),
      registered: await readRegistered(client, this.#sources),
    };
    const unsettled = [...places.flatMap(({ unsettled: what }) => what ?? []), ...this.#busy];
    return { records, findings: check(records), unsettled, leftOver };
  }

  /** A subscription of a workflow that is gone goes when the next event for it comes. */
  async #clean(known: readonly HeldSubscription[]): Promise<number> {
    const random = createRandom(this.#options.seed, 'clean');
    const leaked = async () => {
      const registered = await readRegistered(this.#deps.client, this.#sources);
      return registered.filter(({ isRunning }) => !isRunning);
    };
    const found = await leaked();
    const deadline = performance.now() + CLEAN_MS_MAX;
    for (let left = found; left.length > 0 && performance.now() < deadline; left = await leaked()) {
      for (const { source, filter } of left) {
        const held = known.find((one) => one.source === source && toCel(one.filter) === filter);
        if (held) await this.#deps.sender.post(held.source, bodyFor(held.filter, random));
      }
      await sleep(CLEAN_LOOK_MS);
    }
    await this.#settle();
    return found.length;
  }

  async #settle(): Promise<void> {
    this.#busy.push(...(await untilIdle(this.#sources, performance.now() + SETTLE_MS_MAX)));
  }
}

function whoIsAwaited(victims: readonly Victim[]): string {
  const down = victims.filter(({ isUp }) => !isUp).map(({ name }) => name);
  return down.length > 0 ? `waits for ${down.join(', ')} to start` : 'waits for subscribers to end';
}

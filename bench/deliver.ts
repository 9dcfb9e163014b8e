// How many events a second listeners deliver to a receiver on this machine, and how long it takes
// from the answer of the ingress to the request at the receiver: against bare workflows that run an
// activity with the same request for each signal.
//
// Three processes beside the server: the worker, the ingress, and this one, which posts, signals and
// receives, so that one clock measures everything. The kinds take turns round by round.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { sideBySide } from '../dispatch/side-by-side.ts';
import { storeBody } from '../events/webhook-body.ts';
import type { Event } from '../events/event.ts';
import { startListener } from '../test/listeners.ts';
import { Receiver } from '../test/receiving.ts';
import { numberOption } from './options.ts';
import { Poster, Stage, type StageSettings } from './stage.ts';
import { round, summarise, type Summary } from './statistics.ts';

const CONFIG_PATH = fileURLToPath(new URL('deliver.config.ts', import.meta.url));

/** Listeners, and as many bare workflows. */
const WORKFLOWS = 20;
const AT_ONCE = 32;
const PER_WORKFLOW = 15;

const WARM_UP_ROUNDS = 2;
const ROUNDS = 9;
const SINGLES = 200;
const PAUSE_MS = 30;

/** How long what is on its way may take. */
const RECEIVED_MS_MAX = 120_000;

const KINDS = ['listener', 'bare'] as const;
type Kind = (typeof KINDS)[number];

interface Figures {
  readonly ratePerSecond: number;
  /** From the answer to the request, in milliseconds. */
  readonly latency: Summary;
  /** From the call to the request. */
  readonly whole: Summary;
}

/**
 * Measures with the settings of `npm start`, then with the server's defaults, and prints both.
 * `--rounds N` for another number of rounds than 9, `--singles N` for another number of single
 * deliveries than 200.
 */
export async function delivering(): Promise<void> {
  const rounds = numberOption('rounds', ROUNDS);
  const singles = numberOption('singles', SINGLES);
  console.log(
    `${WORKFLOWS} listeners and as many bare workflows; ${rounds} rounds of ` +
      `${WORKFLOWS * PER_WORKFLOW} with ${AT_ONCE} calls at once, and ${singles} single ones; times in ms\n`,
  );
  const tuned = await measure({ tuned: true, rounds, singles });
  print('settings of npm start', tuned);
  const defaults = await measure({ tuned: false, rounds, singles });
  print("server's defaults", defaults);
  const figures = { ...toRatios(tuned), defaults: toRatios(defaults) };
  console.log(JSON.stringify({ bench: 'deliver', ...figures }));
}

async function measure({
  tuned,
  rounds,
  singles,
}: StageSettings & { readonly rounds: number; readonly singles: number }) {
  const stage = await Stage.start({ tuned, config: CONFIG_PATH });
  const target = await Target.start();
  const poster = new Poster(AT_ONCE);
  try {
    const course = new Course(stage, target, poster);
    await course.begin();
    await course.takeRounds(WARM_UP_ROUNDS);
    const rates = await course.takeRounds(rounds);
    const times = await course.takeSingles(singles);
    const figures = (kind: Kind): Figures => ({
      ratePerSecond: summarise(rates[kind]).p50,
      latency: summarise(times[kind].map(({ acceptedAt, receivedAt }) => receivedAt - acceptedAt)),
      whole: summarise(times[kind].map(({ calledAt, receivedAt }) => receivedAt - calledAt)),
    });
    return { listener: figures('listener'), bare: figures('bare') };
  } finally {
    poster.close();
    await stage.stop();
    await target.stop();
  }
}

interface Single {
  readonly calledAt: number;
  readonly acceptedAt: number;
  readonly receivedAt: number;
}

/** The receiver, which counts by kind. */
class Target {
  readonly #receiver: Receiver;
  readonly #counts: Record<Kind, number> = { listener: 0, bare: 0 };
  #awaited: { kind: Kind; count: number; resolve: (at: number) => void } | undefined;

  private constructor(receiver: Receiver) {
    this.#receiver = receiver;
    receiver.react = ({ path, at }) => {
      const kind = path === '/bare' ? 'bare' : 'listener';
      this.#counts[kind] += 1;
      const awaited = this.#awaited;
      if (awaited?.kind === kind && this.#counts[kind] === awaited.count) awaited.resolve(at);
      return 200;
    };
  }

  static async start(): Promise<Target> {
    return new Target(await Receiver.start());
  }

  urlOf(kind: Kind): string {
    return `${this.#receiver.url}/${kind}`;
  }

  /** The time at which so many more have come. Call it before they are sent. */
  next(kind: Kind, count: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const give = (): void => reject(new Error(`not ${count} have come from the ${kind} in time`));
      const timer = setTimeout(give, RECEIVED_MS_MAX);
      this.#awaited = {
        kind,
        count: this.#counts[kind] + count,
        resolve: (at) => {
          clearTimeout(timer);
          resolve(at);
        },
      };
    });
  }

  stop(): Promise<void> {
    return this.#receiver.stop();
  }
}

class Course {
  readonly #stage: Stage;
  readonly #target: Target;
  readonly #poster: Poster;
  #sent = 0;

  constructor(stage: Stage, target: Target, poster: Poster) {
    this.#stage = stage;
    this.#target = target;
    this.#poster = poster;
  }

  async begin(): Promise<void> {
    const { client } = this.#stage;
    const project = { client, taskQueue: 'deliver' };
    for (let place = 0; place < WORKFLOWS; place += 1) {
      await client.workflow.start('deliverBare', {
        workflowId: bareId(place),
        taskQueue: project.taskQueue,
        args: [this.#target.urlOf('bare')],
      });
      await startListener(project, {
        sources: ['deliver'],
        filter: `data.body.json.workflow == ${place}`,
        url: this.#target.urlOf('listener'),
        signing: [{ secret: 'KEY' }],
      });
    }
  }

  /** Gives rates per second. */
  async takeRounds(rounds: number): Promise<Record<Kind, number[]>> {
    const rates: Record<Kind, number[]> = { listener: [], bare: [] };
    const places = Array.from({ length: WORKFLOWS * PER_WORKFLOW }, (_, place) => place);
    for (let number = 0; number < rounds; number += 1) {
      for (const kind of number % 2 === 0 ? KINDS : KINDS.toReversed()) {
        const startedAt = performance.now();
        const received = this.#target.next(kind, places.length);
        await sideBySide(places, AT_ONCE, (place) => this.#send(kind, place % WORKFLOWS));
        rates[kind].push((places.length / ((await received) - startedAt)) * 1_000);
      }
    }
    return rates;
  }

  async takeSingles(count: number): Promise<Record<Kind, Single[]>> {
    const singles: Record<Kind, Single[]> = { listener: [], bare: [] };
    for (let number = 0; number < count; number += 1) {
      for (const kind of number % 2 === 0 ? KINDS : KINDS.toReversed()) {
        const calledAt = performance.now();
        const received = this.#target.next(kind, 1);
        await this.#send(kind, number % WORKFLOWS);
        const acceptedAt = performance.now();
        singles[kind].push({ calledAt, acceptedAt, receivedAt: await received });
        await sleep(PAUSE_MS);
      }
    }
    return singles;
  }

  async #send(kind: Kind, workflow: number): Promise<void> {
    this.#sent += 1;
    const body = JSON.stringify({ workflow, sent: this.#sent });
    if (kind === 'listener') {
      await this.#poster.post({ url: this.#stage.urlOf('deliver'), body });
      return;
    }
    const handle = this.#stage.client.workflow.getHandle(bareId(workflow));
    await handle.signal('bare', likeEvent(String(this.#sent), body));
  }
}

/** What the ingress makes of such a request. */
function likeEvent(id: string, body: string): Event {
  const time = new Date().toISOString();
  const url = { path: '/webhooks/deliver', path_suffix: '', query: {}, raw: '/webhooks/deliver' };
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  const data = { method: 'POST', url, headers, body: storeBody(Buffer.from(body)) };
  return { id, source: 'deliver', type: 'post', time, data };
}

function bareId(place: number): string {
  return `deliver-bare-${place}`;
}

function toRatios({ listener, bare }: Record<Kind, Figures>) {
  return {
    rate_ratio: round(listener.ratePerSecond / bare.ratePerSecond),
    latency_ratio_p50: round(listener.latency.p50 / bare.latency.p50),
    whole_ratio_p50: round(listener.whole.p50 / bare.whole.p50),
  };
}

function print(settings: string, { listener, bare }: Record<Kind, Figures>): void {
  const row = ({ ratePerSecond, latency, whole }: Figures) => ({
    'a second': Math.round(ratePerSecond),
    'accepted to received p50': round(latency.p50),
    'accepted to received p99': round(latency.p99),
    'called to received p50': round(whole.p50),
    'called to received p99': round(whole.p99),
  });
  console.log(settings);
  console.table({ 'POST to the ingress, listener': row(listener), 'signal, bare': row(bare) });
}

// What the measurements run on: a Temporal server, a worker and an ingress, each a process of its
// own as in production, and this one, which sends, and whose clock measures everything.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { Client } from '@temporalio/client';
import { Agent, request } from 'undici';

import { sideBySide } from '../dispatch/side-by-side.ts';
import { SourceClient } from '../dispatch/source-client.ts';
import { startProcess, startServer, until, type TestProcess } from '../test/harness.ts';
import type { Resumed } from './resumed.ts';
import type { Wake } from './wake.ts';

export const CONFIG_PATH = fileURLToPath(new URL('nextevent.config.ts', import.meta.url));

/** How many workflows are started at once. */
const STARTS_AT_ONCE = 32;

/** How long workflows may take to go on. */
const RESUME_MS_MAX = 20 * 60_000;

export interface StageSettings {
  /** Whether the server has the settings of `npm start` instead of its plain defaults. */
  readonly tuned: boolean;
  /**
   * The configuration file of worker and ingress.
   *
   * @default that of most benches
   */
  readonly config?: string;
}

export interface Post {
  readonly url: string;
  /** JSON. */
  readonly body: string;
}

/** Those that went on in one round, as messages tell. */
interface Round {
  count: number;
  firstAt: number;
  lastAt: number;
  awaited?: { readonly count: number; readonly resolve: (at: number) => void };
}

export class Stage {
  readonly address: string;
  readonly client: Client;
  readonly #ingress: TestProcess;
  readonly #stop: () => Promise<void>;
  readonly #rounds = new Map<string, Round>();

  private constructor(
    server: Pick<Stage, 'address' | 'client' | 'stop'>,
    worker: TestProcess,
    ingress: TestProcess,
  ) {
    this.address = server.address;
    this.client = server.client;
    this.#ingress = ingress;
    this.#stop = async () => {
      await ingress.kill();
      await worker.kill();
      await server.stop();
    };
    worker.child.on('message', (message: Resumed) => {
      if (message.type === 'resumed') this.#count(message.wake);
    });
  }

  static async start(settings: StageSettings): Promise<Stage> {
    const { tuned, config = CONFIG_PATH } = settings;
    const server = await startServer({ tuned });
    const env = { TEMPORAL_ADDRESS: server.address, NEXTEVENT_CONFIG: config };
    const worker = await startProcess('worker', env);
    return new Stage(server, worker, await startProcess('ingress', env));
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  urlOf(source: string): string {
    return `${this.#ingress.url}/webhooks/${source}`;
  }

  /** Starts a workflow for each input. */
  async startAll(type: string, inputs: ReadonlyMap<string, unknown>): Promise<void> {
    await sideBySide(inputs, STARTS_AT_ONCE, async ([workflowId, input]) => {
      await this.client.workflow.start(type, { workflowId, taskQueue: 'bench', args: [input] });
    });
  }

  /** Registers subscriptions of workflows that are not there, for events that never come. */
  async fill(source: string, subscriptions: number): Promise<void> {
    const sources = new SourceClient(this.client);
    const described = await sources.describe(source);
    const others = described?.memo?.subscriptions ?? 0;
    const batches = Array.from({ length: Math.ceil(subscriptions / BATCH) }, (_, place) => place);
    for (const batch of batches) {
      const size = Math.min(BATCH, subscriptions - batch * BATCH);
      const registrations = Array.from({ length: size }, (_, place) => {
        const id = toUuid(batch * BATCH + place);
        const filter = `data.body.json.order == '${id}'`;
        return { id, filter, workflowId: `nobody-${id}`, firstRunId: id };
      });
      await until('the source takes a batch', async () => {
        return sources.register(source, { registrations }).then(
          () => true,
          () => false,
        );
      });
    }
    await until(`${source} holds ${subscriptions} more`, async () => {
      const { memo, isPending } = (await sources.describe(source).catch(() => undefined)) ?? {};
      return memo?.subscriptions === others + subscriptions && !isPending;
    });
  }

  /** The time at which the first workflow went on in this round. */
  firstResumed({ by, round }: Pick<Wake, 'by' | 'round'>): number {
    return this.#roundOf(`${by}-${round}`).firstAt;
  }

  /** The time at which the last of so many workflows went on in this round. */
  async resumed({ by, round }: Pick<Wake, 'by' | 'round'>, count: number): Promise<number> {
    const counted = this.#roundOf(`${by}-${round}`);
    if (counted.count >= count) return counted.lastAt;
    return new Promise((resolve, reject) => {
      const give = (): void => reject(new Error(`${counted.count} of ${count} went on in time`));
      const timer = setTimeout(give, RESUME_MS_MAX);
      counted.awaited = {
        count,
        resolve: (at) => {
          clearTimeout(timer);
          resolve(at);
        },
      };
    });
  }

  #count({ by, round }: Wake): void {
    const counted = this.#roundOf(`${by}-${round}`);
    counted.count += 1;
    counted.lastAt = performance.now();
    if (counted.count === 1) counted.firstAt = counted.lastAt;
    const { awaited } = counted;
    if (awaited && counted.count >= awaited.count) awaited.resolve(counted.lastAt);
  }

  #roundOf(key: string): Round {
    const round = this.#rounds.get(key) ?? { count: 0, firstAt: 0, lastAt: 0 };
    this.#rounds.set(key, round);
    return round;
  }
}

/** Registrations in one signal: well under the 2 MiB that it may have. */
const BATCH = 1_000;

function toUuid(place: number): string {
  return `00000000-0000-4000-8000-${place.toString(16).padStart(12, '0')}`;
}

/** Posts over connections that are kept alive, and as senders do: again, if that was asked for. */
export class Poster {
  readonly #agent: Agent;
  /** How often a 503 asked for it. */
  repeated = 0;

  constructor(connections: number) {
    this.#agent = new Agent({ connections });
  }

  /** Rejects for any answer but a 2xx and a 503. */
  async post(post: Post): Promise<void> {
    const id = randomUUID();
    for (;;) {
      const { status, retryAfterSeconds } = await this.#post(post, id);
      if (status < 300) return;
      if (status !== 503) throw new Error(`${post.url} answered ${status}`);
      this.repeated += 1;
      await sleep(retryAfterSeconds * 1_000);
    }
  }

  close(): void {
    void this.#agent.destroy();
  }

  async #post({ url, body }: Post, id: string) {
    const headers = { 'content-type': 'application/json', 'idempotency-key': id };
    const response = await request(url, { method: 'POST', dispatcher: this.#agent, headers, body });
    await response.body.dump();
    const retryAfterSeconds = Number(response.headers['retry-after'] ?? 1);
    return { status: response.statusCode, retryAfterSeconds };
  }
}

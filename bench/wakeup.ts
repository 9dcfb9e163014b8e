// How long it takes to wake a workflow through the ingress, against the bare
// `client.workflow.signal`: from the call to the acknowledgement, and from the call to the
// first line of workflow code after the wait.
//
// Three processes beside the server, as in production: the worker, the ingress, and this one,
// which posts and signals. The clock is this process's alone: a workflow that goes on says so
// by a local activity, and the worker passes that on as a message, for both kinds alike. They
// take turns round by round, so that whatever else the machine does hits both.

import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';

import type { Client } from '@temporalio/client';

import { startProcess, startServer, type TestProcess } from '../test/harness.ts';
import type { Resumed } from './resumed.ts';
import { ratioOf, round, summarise, type Summary } from './statistics.ts';
import type { Wake } from './wake.ts';

const WORKFLOWS = 10;
const WARM_UP_ROUNDS = 60;
const ROUNDS = 500;
const PAUSE_MS = 50;
const RESUME_MS_MAX = 30_000;

const KINDS = ['event', 'signal'] as const;
type Kind = (typeof KINDS)[number];

/** Milliseconds after the call. */
interface Timing {
  readonly acknowledgedMs: number;
  readonly resumedMs: number;
}

interface Result {
  readonly resumed: Readonly<Record<Kind, Summary>>;
  readonly acknowledged: Readonly<Record<Kind, Summary>>;
  readonly ratios: Readonly<
    Record<'resume_ratio_p50' | 'resume_ratio_p99' | 'ack_ratio_p50', number>
  >;
}

/** Measures with the settings of `npm start`, then with the server's defaults, and prints both. */
export async function wakeup(): Promise<void> {
  console.log(
    `${WORKFLOWS} waiting workflows on one source; ${ROUNDS} rounds after ${WARM_UP_ROUNDS} to ` +
      `warm up, ${PAUSE_MS} ms of pause after each wake-up; times in ms\n`,
  );
  const tuned = await measure({ tuned: true });
  print('settings of npm start', tuned);
  const defaults = await measure({ tuned: false });
  print("server's defaults", defaults);
  console.log(JSON.stringify({ bench: 'wakeup', ...tuned.ratios, defaults: defaults.ratios }));
}

async function measure(settings: { readonly tuned: boolean }): Promise<Result> {
  const server = await startServer(settings);
  const env = {
    TEMPORAL_ADDRESS: server.address,
    NEXTEVENT_CONFIG: fileURLToPath(new URL('nextevent.config.ts', import.meta.url)),
  };
  const worker = await startProcess('worker', env);
  const ingress = await startProcess('ingress', env);
  try {
    const wakeups = new WakeUps(server.client, worker, ingress);
    await wakeups.startWorkflows();
    await wakeups.takeTurns(WARM_UP_ROUNDS);
    return toResult(await wakeups.takeTurns(ROUNDS));
  } finally {
    await ingress.kill();
    await worker.kill();
    await server.stop();
  }
}

class WakeUps {
  readonly #client: Client;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #ingressUrl: string;
  readonly #awaited = new Map<string, (at: number) => void>();
  #round = 0;

  constructor(client: Client, worker: TestProcess, ingress: TestProcess) {
    this.#client = client;
    this.#ingressUrl = `${ingress.url}/webhooks/bench`;
    worker.child.on('message', (message: Resumed) => {
      const at = performance.now();
      if (message.type === 'resumed') this.#awaited.get(toKey(message.wake))?.(at);
    });
  }

  async startWorkflows(): Promise<void> {
    const names = { event: 'waitForEvents', signal: 'waitForSignals' };
    for (const by of KINDS) {
      for (let workflow = 0; workflow < WORKFLOWS; workflow += 1) {
        const ready = this.#resumed({ by, workflow, round: 0 });
        await this.#client.workflow.start(names[by], {
          workflowId: `${by}-${workflow}`,
          taskQueue: 'bench',
          args: [workflow],
        });
        await ready;
      }
    }
  }

  /** Wakes one workflow of each kind per round. Who comes first changes. */
  async takeTurns(rounds: number): Promise<Record<Kind, Timing[]>> {
    const timings: Record<Kind, Timing[]> = { event: [], signal: [] };
    for (let count = 0; count < rounds; count += 1) {
      this.#round += 1;
      const workflow = this.#round % WORKFLOWS;
      for (const by of this.#round % 2 === 0 ? KINDS : KINDS.toReversed()) {
        timings[by].push(await this.#wake({ by, workflow, round: this.#round }));
        await sleep(PAUSE_MS);
      }
    }
    return timings;
  }

  async #wake(wake: Wake & { readonly by: Kind }): Promise<Timing> {
    const resumed = this.#resumed(wake);
    const calledAt = performance.now();
    const acknowledged = wake.by === 'event' ? this.#post(wake) : this.#signal(wake);
    const acknowledgedAt = acknowledged.then(() => performance.now());
    return {
      acknowledgedMs: (await acknowledgedAt) - calledAt,
      resumedMs: (await resumed) - calledAt,
    };
  }

  #resumed(wake: Wake): Promise<number> {
    return new Promise((resolve, reject) => {
      const key = toKey(wake);
      const timer = setTimeout(() => reject(new Error(`${key} never resumed`)), RESUME_MS_MAX);
      this.#awaited.set(key, (at) => {
        clearTimeout(timer);
        this.#awaited.delete(key);
        resolve(at);
      });
    });
  }

  async #signal(wake: Wake): Promise<void> {
    await this.#client.workflow.getHandle(`signal-${wake.workflow}`).signal('wake', wake);
  }

  #post(wake: Wake): Promise<void> {
    const body = JSON.stringify(wake);
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const options = { method: 'POST', agent: this.#agent, headers };
    return new Promise((resolve, reject) => {
      const posting = request(this.#ingressUrl, options, (response) => {
        if (response.statusCode !== 202) reject(new Error(`answer ${response.statusCode}`));
        response.on('end', resolve).resume();
      });
      posting.on('error', reject).end(body);
    });
  }
}

function toResult(timings: Readonly<Record<Kind, readonly Timing[]>>): Result {
  const summaries = (kind: keyof Timing): Record<Kind, Summary> => ({
    event: summarise(timings.event.map((timing) => timing[kind])),
    signal: summarise(timings.signal.map((timing) => timing[kind])),
  });
  const resumed = summaries('resumedMs');
  const acknowledged = summaries('acknowledgedMs');
  const resumeRatio = ratioOf(resumed.event, resumed.signal);
  const ackRatio = ratioOf(acknowledged.event, acknowledged.signal);
  return {
    resumed,
    acknowledged,
    ratios: {
      resume_ratio_p50: round(resumeRatio.p50),
      resume_ratio_p99: round(resumeRatio.p99),
      ack_ratio_p50: round(ackRatio.p50),
    },
  };
}

function print(settings: string, { resumed, acknowledged }: Result): void {
  console.log(settings);
  console.table({
    'POST to the ingress': toRow(resumed.event, acknowledged.event),
    'client.workflow.signal': toRow(resumed.signal, acknowledged.signal),
    ratio: toRow(
      ratioOf(resumed.event, resumed.signal),
      ratioOf(acknowledged.event, acknowledged.signal),
    ),
  });
}

function toRow(resumed: Summary, acknowledged: Summary): Record<string, number> {
  return {
    'resumed p50': round(resumed.p50),
    'resumed p99': round(resumed.p99),
    'acknowledged p50': round(acknowledged.p50),
    'acknowledged p99': round(acknowledged.p99),
  };
}

function toKey({ by, workflow, round: number }: Wake): string {
  return `${by}-${workflow}-${number}`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

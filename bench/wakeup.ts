// How long it takes to wake a workflow through the ingress, against the bare
// `client.workflow.signal`: from the call to the acknowledgement, and from the call to the
// first line of workflow code after the wait. And how long it takes on a source on which very many
// others wait.
//
// Three processes beside the server, as in production: the worker, the ingress, and this one,
// which posts and signals. The clock is this process's alone: a workflow that goes on says so
// by a local activity, and the worker passes that on as a message, for all kinds alike. They
// take turns round by round, so that whatever else the machine does hits all of them.

import { numberOption } from './options.ts';
import { Poster, Stage, type StageSettings } from './stage.ts';
import { ratioOf, round, summarise, type Summary } from './statistics.ts';
import type { Wake } from './wake.ts';
import type { Waiting } from './workflows.ts';

const WORKFLOWS = 10;
const WARM_UP_ROUNDS = 60;
const ROUNDS = 500;
const PAUSE_MS = 50;

/** How many others wait on the crowded source. */
const OTHERS = 100_000;

const KINDS = ['event', 'crowded', 'signal'] as const;
type Kind = (typeof KINDS)[number];

/** The sources that are posted to. */
const SOURCES = { event: 'bench', crowded: 'crowded' } as const;

/** Milliseconds after the call. */
interface Timing {
  readonly acknowledgedMs: number;
  readonly resumedMs: number;
}

interface Settings extends StageSettings {
  readonly others: number;
  readonly rounds: number;
}

/** What no round was made of has no figures. */
type Summaries = Readonly<Partial<Record<Kind, Summary>>> & Record<'event' | 'signal', Summary>;

interface Result {
  readonly resumed: Summaries;
  readonly acknowledged: Summaries;
  readonly ratios: {
    readonly resume_ratio_p50: number;
    readonly resume_ratio_p99: number;
    readonly ack_ratio_p50: number;
    readonly resume_ratio_100k_to_10?: number;
  };
}

/**
 * Measures with the settings of `npm start`, then with the server's defaults, and prints both.
 * `--subscriptions N` for another number of others than 100,000, with 0 without their source, `--rounds N`
 * for another number of rounds than 500.
 */
export async function wakeup(): Promise<void> {
  const others = numberOption('subscriptions', OTHERS, 0);
  const rounds = numberOption('rounds', ROUNDS);
  console.log(
    `${WORKFLOWS} waiting workflows on one source${others > 0 ? `, and on one with ${others} others` : ''}; ${rounds} rounds ` +
      `after ${WARM_UP_ROUNDS} to warm up, ${PAUSE_MS} ms of pause after each wake-up; times in ms\n`,
  );
  const tuned = await measure({ tuned: true, others, rounds });
  print('settings of npm start', tuned);
  const defaults = await measure({ tuned: false, others, rounds });
  print("server's defaults", defaults);
  const figures = { ...tuned.ratios, subscriptions: others, defaults: defaults.ratios };
  console.log(JSON.stringify({ bench: 'wakeup', ...figures }));
}

async function measure({ tuned, others, rounds }: Settings): Promise<Result> {
  const stage = await Stage.start({ tuned });
  const poster = new Poster(1);
  try {
    if (others > 0) await stage.fill(SOURCES.crowded, others);
    const kinds = KINDS.filter((kind) => kind !== 'crowded' || others > 0);
    await startWorkflows(stage, kinds);
    const wakeups = new WakeUps(stage, { poster, kinds });
    await wakeups.takeTurns(WARM_UP_ROUNDS);
    return toResult(await wakeups.takeTurns(rounds));
  } finally {
    poster.close();
    await stage.stop();
  }
}

async function startWorkflows(stage: Stage, kinds: readonly Kind[]): Promise<void> {
  for (const by of kinds) {
    const inputs = new Map<string, Waiting>();
    for (let workflow = 0; workflow < WORKFLOWS; workflow += 1) {
      const source = by === 'signal' ? undefined : SOURCES[by];
      inputs.set(`${by}-${workflow}`, { by, workflow, ...(source && { source }) });
    }
    await stage.startAll(by === 'signal' ? 'waitForSignals' : 'waitForEvents', inputs);
    await stage.resumed({ by, round: 0 }, WORKFLOWS);
  }
}

class WakeUps {
  readonly #stage: Stage;
  readonly #poster: Poster;
  readonly #kinds: readonly Kind[];
  #round = 0;

  constructor(
    stage: Stage,
    { poster, kinds }: { readonly poster: Poster; readonly kinds: readonly Kind[] },
  ) {
    this.#stage = stage;
    this.#poster = poster;
    this.#kinds = kinds;
  }

  /** Wakes one workflow of each kind per round. Who comes first changes. */
  async takeTurns(rounds: number): Promise<Record<Kind, Timing[]>> {
    const timings: Record<Kind, Timing[]> = { event: [], crowded: [], signal: [] };
    for (let count = 0; count < rounds; count += 1) {
      this.#round += 1;
      const workflow = this.#round % WORKFLOWS;
      const first = this.#round % this.#kinds.length;
      for (const by of [...this.#kinds.slice(first), ...this.#kinds.slice(0, first)]) {
        timings[by].push(await this.#wake({ by, workflow, round: this.#round }));
        await sleep(PAUSE_MS);
      }
    }
    return timings;
  }

  async #wake(wake: Wake & { readonly by: Kind }): Promise<Timing> {
    const resumed = this.#stage.resumed(wake, 1);
    const calledAt = performance.now();
    await (wake.by === 'signal' ? this.#signal(wake) : this.#post(SOURCES[wake.by], wake));
    const acknowledgedMs = performance.now() - calledAt;
    return { acknowledgedMs, resumedMs: (await resumed) - calledAt };
  }

  async #signal(wake: Wake): Promise<void> {
    const workflowId = `${wake.by}-${wake.workflow}`;
    await this.#stage.client.workflow.getHandle(workflowId).signal('wake', wake);
  }

  async #post(source: string, wake: Wake): Promise<void> {
    await this.#poster.post({ url: this.#stage.urlOf(source), body: JSON.stringify(wake) });
  }
}

function toResult(timings: Readonly<Record<Kind, readonly Timing[]>>): Result {
  const summaries = (figure: keyof Timing): Summaries => {
    const of = (kind: Kind): Summary => summarise(timings[kind].map((timing) => timing[figure]));
    const crowded = timings.crowded.length > 0 && { crowded: of('crowded') };
    return { event: of('event'), signal: of('signal'), ...crowded };
  };
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
      ...(resumed.crowded && {
        resume_ratio_100k_to_10: round(ratioOf(resumed.crowded, resumed.event).p50),
      }),
    },
  };
}

function print(settings: string, { resumed, acknowledged }: Result): void {
  console.log(settings);
  console.table({
    'POST to the ingress': toRow(resumed.event, acknowledged.event),
    ...(resumed.crowded &&
      acknowledged.crowded && {
        '... with many others': toRow(resumed.crowded, acknowledged.crowded),
      }),
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

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

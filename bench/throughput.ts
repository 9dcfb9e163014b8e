// How many events a second reach 200 waiting workflows through the ingress, against bare signals
// to the same workflows. A rate counts until the code of the last workflow has taken its last.

import { cel } from 'nextevent/workflow';

import { sideBySide } from '../dispatch/side-by-side.ts';
import type { Counting } from './counting.ts';
import { numberOption } from './options.ts';
import { Poster, Stage, type StageSettings } from './stage.ts';
import { round, summarise } from './statistics.ts';

const WORKFLOWS = 200;
const AT_ONCE = 32;

/** How many each workflow takes in a round, and says that it has. */
const BATCH = 3;
const WARM_UP_ROUNDS = 2;
const ROUNDS = 9;

const SOURCE = 'throughput';
const KINDS = ['event', 'signal'] as const;
type Kind = (typeof KINDS)[number];

/** A second. */
interface Rates {
  readonly acknowledged: number;
  readonly received: number;
}

/**
 * Measures with the settings of `npm start`, then with the server's defaults, and prints both.
 * `--rounds N` for another number of rounds than 9.
 */
export async function throughput(): Promise<void> {
  const rounds = numberOption('rounds', ROUNDS);
  console.log(
    `${WORKFLOWS} waiting workflows, ${AT_ONCE} calls at once; ${rounds} rounds of ` +
      `${WORKFLOWS * BATCH} after ${WARM_UP_ROUNDS} to warm up; medians of rates per second\n`,
  );
  const tuned = await measure('settings of npm start', { tuned: true, rounds });
  const defaults = await measure("server's defaults", { tuned: false, rounds });
  console.log(
    JSON.stringify({
      bench: 'throughput',
      ratio_to_bare_signals: defaults.received,
      acknowledged_ratio: defaults.acknowledged,
      tuned: { ratio_to_bare_signals: tuned.received, acknowledged_ratio: tuned.acknowledged },
    }),
  );
}

async function measure(
  settings: string,
  { tuned, rounds }: StageSettings & { readonly rounds: number },
): Promise<Rates> {
  const stage = await Stage.start({ tuned });
  try {
    await startWorkflows(stage);
    const poster = new Poster(AT_ONCE);
    const rates: Record<Kind, Rates[]> = { event: [], signal: [] };
    for (let number = 1; number <= WARM_UP_ROUNDS + rounds; number += 1) {
      for (const kind of number % 2 === 0 ? KINDS : KINDS.toReversed()) {
        const measured = await takeRound(stage, poster, { kind, number });
        if (number > WARM_UP_ROUNDS) rates[kind].push(measured);
      }
    }
    poster.close();
    if (poster.repeated > 0) console.log(`the ingress answered 503 ${poster.repeated} times`);
    return print(settings, rates);
  } finally {
    await stage.stop();
  }
}

async function startWorkflows(stage: Stage): Promise<void> {
  const inputs = new Map<string, Counting>();
  for (let workflow = 0; workflow < WORKFLOWS; workflow += 1) {
    const filter = cel`data.body.json.workflow == ${workflow}`;
    inputs.set(idOf(workflow), { workflow, source: SOURCE, filter, batch: BATCH });
  }
  await stage.startAll('count', inputs);
  await stage.resumed({ by: `${SOURCE} event`, round: 0 }, WORKFLOWS);
}

async function takeRound(
  stage: Stage,
  poster: Poster,
  { kind, number }: { readonly kind: Kind; readonly number: number },
): Promise<Rates> {
  const calls = Array.from({ length: WORKFLOWS * BATCH }, (_, place) => place);
  const url = stage.urlOf(SOURCE);
  const startedAt = performance.now();
  await sideBySide(calls, AT_ONCE, async (place) => {
    const workflow = place % WORKFLOWS;
    const wake = { by: kind, workflow, round: number };
    if (kind === 'event') await poster.post({ url, body: JSON.stringify(wake) });
    else await stage.client.workflow.getHandle(idOf(workflow)).signal('bare', wake);
  });
  const acknowledgedMs = performance.now() - startedAt;
  const group = { by: `${SOURCE} ${kind}`, round: number };
  const receivedMs = (await stage.resumed(group, WORKFLOWS)) - startedAt;
  const perSecond = (ms: number): number => (calls.length / ms) * 1_000;
  return { acknowledged: perSecond(acknowledgedMs), received: perSecond(receivedMs) };
}

function print(settings: string, rates: Readonly<Record<Kind, readonly Rates[]>>): Rates {
  const median = (kind: Kind, figure: keyof Rates): number =>
    summarise(rates[kind].map((measured) => measured[figure])).p50;
  const row = (kind: Kind): Rates => ({
    acknowledged: Math.round(median(kind, 'acknowledged')),
    received: Math.round(median(kind, 'received')),
  });
  const ratio = {
    acknowledged: round(median('event', 'acknowledged') / median('signal', 'acknowledged')),
    received: round(median('event', 'received') / median('signal', 'received')),
  };
  console.log(settings);
  console.table({ 'POST to the ingress': row('event'), 'bare signals': row('signal'), ratio });
  return ratio;
}

function idOf(workflow: number): string {
  return `throughput-${workflow}`;
}

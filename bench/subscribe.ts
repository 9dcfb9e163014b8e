// What it costs to register a subscription with one source, against a bare local activity that
// signals a workflow with start: from the call to its return, and how many a second.

import type { Registering } from './registering.ts';
import { Stage } from './stage.ts';
import { round as rounded, summarise } from './statistics.ts';

/** How many each workflow registers, one after the other. */
const REGISTRATIONS = 20;
const WORKFLOWS_AT_ONCE = 8;
const WARM_UP_ROUNDS = 2;
const ROUNDS = 9;

const KINDS = { event: 'registerReal', signal: 'registerBare' } as const;
type Kind = keyof typeof KINDS;

interface Figures {
  readonly latencyMs: number[];
  readonly perSecond: number[];
}

export async function subscribing(): Promise<void> {
  console.log(
    `${REGISTRATIONS} registrations in a row, by one workflow and by ${WORKFLOWS_AT_ONCE} at once; ` +
      `medians of ${ROUNDS} rounds after ${WARM_UP_ROUNDS} to warm up, settings of npm start\n`,
  );
  const stage = await Stage.start({ tuned: true });
  const figures: Record<Kind, Figures> = {
    event: { latencyMs: [], perSecond: [] },
    signal: { latencyMs: [], perSecond: [] },
  };
  try {
    for (let number = 1; number <= WARM_UP_ROUNDS + ROUNDS; number += 1) {
      for (const kind of number % 2 === 0 ? kinds() : kinds().toReversed()) {
        const alone = await takeRound(stage, { kind, round: 2 * number, workflows: 1 });
        const crowd = { kind, round: 2 * number + 1, workflows: WORKFLOWS_AT_ONCE };
        const together = await takeRound(stage, crowd);
        if (number <= WARM_UP_ROUNDS) continue;
        figures[kind].latencyMs.push(alone / REGISTRATIONS);
        figures[kind].perSecond.push(((WORKFLOWS_AT_ONCE * REGISTRATIONS) / together) * 1_000);
      }
    }
  } finally {
    await stage.stop();
  }
  print(figures);
}

interface Round {
  readonly kind: Kind;
  readonly round: number;
  readonly workflows: number;
}

/** The time between the first line of workflow code before and the last one after, in ms. */
async function takeRound(stage: Stage, { kind, round, workflows }: Round): Promise<number> {
  const inputs = new Map<string, Registering>();
  for (let workflow = 0; workflow < workflows; workflow += 1) {
    const input = { by: kind, round, workflow, registrations: REGISTRATIONS };
    inputs.set(`${kind}-${round}-${workflow}`, input);
  }
  await stage.startAll(KINDS[kind], inputs);
  const endedAt = await stage.resumed({ by: kind, round: 2 * round + 1 }, workflows);
  return endedAt - stage.firstResumed({ by: kind, round: 2 * round });
}

function print(figures: Readonly<Record<Kind, Figures>>): void {
  const latencyMs = (kind: Kind): number => summarise(figures[kind].latencyMs).p50;
  const perSecond = (kind: Kind): number => summarise(figures[kind].perSecond).p50;
  const row = (kind: Kind): Record<string, number> => ({
    'call to return, ms': rounded(latencyMs(kind)),
    'a second': Math.round(perSecond(kind)),
  });
  const ratio = rounded(latencyMs('event') / latencyMs('signal'));
  const rateRatio = rounded(perSecond('event') / perSecond('signal'));
  console.table({
    subscribe: row('event'),
    'local activity, signalWithStart': row('signal'),
    ratio: { 'call to return, ms': ratio, 'a second': rateRatio },
  });
  console.log(
    JSON.stringify({
      bench: 'subscribe',
      ratio_to_local_activity: ratio,
      rate_ratio: rateRatio,
      per_second: Math.round(perSecond('event')),
    }),
  );
}

function kinds(): Kind[] {
  return ['event', 'signal'];
}

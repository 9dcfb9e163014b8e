// Which event is posted when: a plan that is made of the seed alone. Each source has waves of its
// own and quiet times between them, because a backlog is left only when it is empty, and the way
// around it is to be taken as well as the way through it.

import { randomBody, SOURCES, TRIGGERS, type Body, type SourceName } from './filters.ts';
import { createRandom, type Random } from './random.ts';

/** One in so many events starts a workflow, if its source has a trigger. */
const STARTS_ONE_IN = 20;

/** How long the load of a source stays the same. */
const WAVE_MS = 6_000;

/** How much of it comes in a wave, relative to others. */
const WEIGHTS = [0, 0.1, 0.1, 1, 2] as const;

export interface Due {
  /** After the start of the plan. */
  readonly atMs: number;
  readonly source: SourceName;
  readonly body: Body;
}

export interface LoadOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly events: number;
}

/** Spread over the whole time, in waves; in the order of time. */
export function planLoad({ seed, minutes, events }: LoadOptions): Due[] {
  const random = createRandom(seed, 'load');
  const totalMs = minutes * 60_000;
  const waves = Array.from({ length: Math.ceil(totalMs / WAVE_MS) }, (_, wave) =>
    SOURCES.map((source) => ({ source, wave, weight: random.pick(WEIGHTS) })),
  ).flat();
  const total = waves.reduce((sum, { weight }) => sum + weight, 0);
  return Array.from({ length: events }, () => {
    let rest = random.next() * total;
    const chosen = waves.find(({ weight }) => (rest -= weight) < 0);
    const source = chosen?.source ?? random.pick(SOURCES);
    const atMs = ((chosen?.wave ?? 0) + random.next()) * WAVE_MS;
    return { atMs: Math.min(atMs, totalMs), source, body: bodyOf(source, random) };
  }).toSorted((one, other) => one.atMs - other.atMs);
}

function bodyOf(source: SourceName, random: Random): Body {
  const body = randomBody(random);
  const starts = random.below(STARTS_ONE_IN) === 0 && TRIGGERS[source] !== undefined;
  return starts ? { ...body, starts } : body;
}

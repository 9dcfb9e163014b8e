// When what is killed and stopped: a plan that is made of the seed alone, and carried out as far as
// there is something that can be killed.

import { sleep } from './clock.ts';
import { createRandom } from './random.ts';
import type { Victim } from './victims.ts';

const KILLS_PER_MINUTE = 12;
const STOPS_PER_MINUTE = 8;

/** How long a process that was killed stays away, before it begins to start. */
const DOWN_MS_MAX = 2_500;

/** Stops are short, but for some: longer than any call to Temporal or heartbeat is waited for. */
const STOP_MS_MIN = 100;
const STOP_MS_MAX = 3_000;
const LONG_STOP_MS_MAX = 13_000;
const LONG_STOPS = 0.15;

/** How often it is looked again for somebody to kill. */
const LOOK_MS = 100;

export interface Blow {
  /** After the start of the plan. */
  readonly atMs: number;
  readonly kind: 'kill' | 'stop';
  /** For how long. */
  readonly forMs: number;
  /** Indexes of the victims: the first of them that is up is hit. */
  readonly victims: readonly number[];
}

export interface Blows {
  readonly kills: number;
  readonly stops: number;
}

/** `weights`: how often each victim is to be hit, relative to the others. */
export function planBlows(seed: number, minutes: number, weights: readonly number[]): Blow[] {
  const random = createRandom(seed, 'blows');
  const planOf = (kind: Blow['kind'], perMinute: number): Blow[] =>
    Array.from({ length: Math.ceil(minutes * perMinute) }, () => {
      const isLong = random.next() < LONG_STOPS;
      const stopMs = random.between(STOP_MS_MIN, isLong ? LONG_STOP_MS_MAX : STOP_MS_MAX);
      return {
        atMs: random.next() * minutes * 60_000,
        kind,
        forMs: kind === 'kill' ? random.next() * DOWN_MS_MAX : stopMs,
        // A draw with weights, without putting back.
        victims: weights
          .map((weight, index) => ({ index, key: random.next() ** (1 / weight) }))
          .toSorted((one, other) => other.key - one.key)
          .map(({ index }) => index),
      };
    });
  return [...planOf('kill', KILLS_PER_MINUTE), ...planOf('stop', STOPS_PER_MINUTE)].toSorted(
    (one, other) => one.atMs - other.atMs,
  );
}

/** Ends when every blow was dealt. */
export async function dealBlows(
  plan: readonly Blow[],
  victims: readonly Victim[],
  log: (line: string) => void,
): Promise<Blows> {
  const startedAt = performance.now();
  const dealt = { kills: 0, stops: 0 };
  for (const blow of plan) {
    await sleep(Math.max(0, startedAt + blow.atMs - performance.now()));
    const victim = await untilVictim(blow, victims);
    log(`${blow.kind} ${victim.name} for ${Math.round(blow.forMs)} ms`);
    if (blow.kind === 'kill') {
      await victim.kill(blow.forMs);
      dealt.kills += 1;
    } else {
      victim.stop(blow.forMs);
      dealt.stops += 1;
    }
  }
  return dealt;
}

async function untilVictim(blow: Blow, victims: readonly Victim[]): Promise<Victim> {
  for (;;) {
    for (const index of blow.victims) {
      const victim = victims[index];
      if (victim?.isUp) return victim;
    }
    await sleep(LOOK_MS);
  }
}

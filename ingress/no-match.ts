// Why nobody wanted an event, for the line that a developer sees. Production has no use for
// it: it evaluates filters once more, part by part.

import type { Event } from '../events/event.ts';
import { explainFilter, type Explanation } from '../events/filter-explain.ts';

/** Who could have wanted an event. */
export interface Candidate {
  /** A trigger, or the workflow that subscribed. */
  readonly name: string;
  readonly filter: string;
}

/** How many candidates are looked at, for how long, and how many of them are named. */
const LOOKED_AT_MAX = 30;
const LOOK_MS_MAX = 50;
const NAMED_MAX = 3;

/** Longest explanation of one candidate, in characters. */
const WHY_LENGTH_MAX = 160;

/** The candidates that came nearest, each with what it lacked: `on-hello: data.a is 1, not 2`. */
export function whyNoMatch(event: Event, candidates: Iterable<Candidate>): string {
  const until = performance.now() + LOOK_MS_MAX;
  const explained: Array<{ name: string; explanation: Explanation }> = [];
  for (const { name, filter } of candidates) {
    if (explained.length >= LOOKED_AT_MAX || performance.now() > until) break;
    const explanation = explainFilter(filter, event);
    if (!explanation.matched) explained.push({ name, explanation });
  }
  return explained
    .toSorted((one, other) => lacks(one.explanation) - lacks(other.explanation))
    .slice(0, NAMED_MAX)
    .map(({ name, explanation }) => `${name}: ${inShort(explanation)}`)
    .join('; ');
}

function lacks({ reasons }: Explanation): number {
  return reasons.length;
}

function inShort({ reasons, error }: Explanation): string {
  const why = reasons.map((reason) => reason.why).join(', ') || error || 'false';
  return why.length > WHY_LENGTH_MAX ? `${why.slice(0, WHY_LENGTH_MAX - 1)}…` : why;
}

// An event on its way to the workflows that want it.

import type { Event } from '../events/event.ts';
import { Deferred } from './deferred.ts';
import type { Outcome, Target } from './lanes.ts';

export type Decision = 'fast' | 'slow' | 'overloaded';

/** A workflow that was signalled. */
export interface Signalled {
  readonly target: Target;
  readonly ids: readonly string[];
  /** The version of the copy that it was matched against. */
  readonly version: number;
  readonly outcome: Promise<Outcome>;
}

/** An event on its way. */
export interface Arrival {
  readonly event: Event;
  readonly at: number;
  /** The version up to which it was matched, and the chain of runs that counts it. */
  matched: { readonly chain: string; readonly version: number } | undefined;
  readonly signalled: Signalled[];
  readonly decision: Deferred<Decision>;
}

export function toArrival(event: Event): Arrival {
  const at = performance.now();
  return { event, at, matched: undefined, signalled: [], decision: new Deferred() };
}

// What local activities give comes to the code one after the other when a history is made, as they end.
// When it is replayed the SDK brings all of it that belongs to one workflow task in one activation, also
// with what the task began with. Code that goes on side by side would go on in another order then.

import type { ActivateInput } from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

import type { Registered } from '../activities/registration.ts';

/** For runs that hold nothing but what their trigger feeds. */
export const SETTLE_PATCH = 'settled-in-turn';

/** Of the SDK, which alone knows what patches a history has. */
interface KnownPatches {
  readonly knownPresentPatches?: ReadonlySet<string>;
}

type Job = NonNullable<ActivateInput['activation']['jobs']>[number];
type Result = NonNullable<Job['resolveActivity']>;

/**
 * The jobs of an activation that are done at once, and the results of local activities that come later,
 * one by one, if the run keeps to that or one of them tells it to.
 */
export function splitJobs(all: Job[], settle: boolean) {
  const results = all.flatMap(({ resolveActivity: job }) => (job?.isLocal ? [job] : []));
  const isSplit = results.length > 0 && all.length > 1 && (settle || isToSettle(results));
  if (!isSplit) return { jobs: all, later: [] };
  const others = all.filter(({ resolveActivity: job }) => !job?.isLocal);
  if (others.length > 0) return { jobs: others, later: results };
  return { jobs: all.slice(0, 1), later: results.slice(1) };
}

/**
 * Whether the run keeps to it from one of these results on, or has when its history was made. What came
 * together even then, and before it was known, is not told from what did not.
 */
function isToSettle(results: readonly Result[]): boolean {
  const { knownPresentPatches } = getActivator() as unknown as KnownPatches;
  return results.some(tellsToSettle) || knownPresentPatches?.has(SETTLE_PATCH) === true;
}

/** The first registration of a run does. */
function tellsToSettle({ result }: Result): boolean {
  const payload = result?.completed?.result;
  if (!payload) return false;
  try {
    const { payloadConverter } = getActivator();
    const value = payloadConverter.fromPayload<Registered | null | undefined>(payload);
    return value?.settle === true && value.inTurn === 'everyone';
  } catch {
    // It is somebody else's.
    return false;
  }
}

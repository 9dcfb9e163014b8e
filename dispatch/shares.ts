// What events of a backlog have for each workflow. Workflows come in the order of the source,
// so that how far a dispatch has got among them is one number.

import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Event } from '../events/event.ts';
import type { FilterIndex } from '../events/filter-index.ts';
import { receivesFrom, type Subscription, type SubscriptionId } from '../events/subscription.ts';
import type { MatchedEvent, PlacedEntry } from '../workflows/messages.ts';
import type { Target } from './lanes.ts';
import { matchSubscribers, type Match } from './matcher.ts';

/** So many matches are held at once, or those of one event. */
const MATCHES_MAX = 20_000;

/** The subscriptions of a source, as of a version. */
export interface Known {
  readonly index: FilterIndex<Subscription>;
  /** Those that get nothing. */
  readonly suspended: FilterIndex<Subscription>;
  readonly version: number;
}

/** An event with its place in the backlog. */
export interface PlacedEvent {
  readonly entry: PlacedEntry;
  readonly event: Event;
}

/** How many events some subscriptions do not get. */
export type Missed = ReadonlyMap<SubscriptionId, number>;

/** What one workflow is to get. */
export interface Share {
  /** The place of the first of its subscriptions that want any of the events. */
  readonly seq: number;
  readonly target: Target;
  /** Oldest first. */
  readonly matched: readonly MatchedEvent[];
  /** What it does not get, because these took no more when its turn came. */
  readonly missed: Missed;
}

export interface Shares {
  /** Of how many of the events. */
  readonly events: number;
  /** In the order of their `seq`. */
  readonly shares: readonly Share[];
}

/** How far a dispatch got before. */
export interface Begun {
  /** With how many events it had begun; 0 if with none. */
  readonly events: number;
  /** What has become of these events for the subscriptions up to this place is settled. */
  readonly upTo: number;
}

/**
 * The shares of as many events as may be held at once, or of those that were begun. Gives way to
 * others after each event.
 */
export async function sharesOf(
  known: Known,
  events: readonly PlacedEvent[],
  begun: Begun,
): Promise<Shares> {
  const drafts = new Map<string, Draft>();
  let matches = 0;
  let done = 0;
  for (const { entry, event } of begun.events > 0 ? events.slice(0, begun.events) : events) {
    const isWanted = (subscription: Subscription): boolean => {
      return subscription.seq > begun.upTo && isFor(entry, subscription);
    };
    for (const match of matchSubscribers(known.index, event, isWanted).matches) {
      draftOf(drafts, match).matched.push({ event, subscriptions: match.subscriptions });
      matches += 1;
    }
    for (const match of matchSubscribers(known.suspended, event, isWanted).matches) {
      const { missed } = draftOf(drafts, match);
      for (const id of match.subscriptions) missed.set(id, (missed.get(id) ?? 0) + 1);
      matches += 1;
    }
    done += 1;
    if (begun.events === 0 && matches >= MATCHES_MAX) break;
    await nextTurn();
  }
  const shares = [...drafts.values()].toSorted((one, other) => one.seq - other.seq);
  return { events: done, shares };
}

interface Draft extends Share {
  seq: number;
  readonly matched: MatchedEvent[];
  readonly missed: Map<SubscriptionId, number>;
}

function draftOf(drafts: Map<string, Draft>, { target, seq }: Match): Draft {
  const key = `${target.workflowId}\0${target.firstRunId}`;
  const draft = drafts.get(key) ?? { seq, target, matched: [], missed: new Map() };
  draft.seq = Math.min(draft.seq, seq);
  drafts.set(key, draft);
  return draft;
}

/** Whether the event has yet to reach the subscription: it was there, and nobody has tried. */
function isFor(entry: PlacedEntry, subscription: Subscription): boolean {
  // Its place, although it may have been suspended and resumed since: the event came after it.
  if (subscription.seq > entry.place) return false;
  if (receivesFrom(subscription) > entry.after) return true;
  return entry.leftOver?.includes(subscription.workflowId) === true;
}

// Who wants an event: pure functions over the index of a source.

import type { Event } from '../events/event.ts';
import type { FilterIndex } from '../events/filter-index.ts';
import type { Subscription, SubscriptionId } from '../events/subscription.ts';
import type { Target } from './lanes.ts';

/** A workflow with those of its subscriptions that want the event. */
export interface Match {
  readonly target: Target;
  /** The place of the first of them in the order of the source. */
  readonly seq: number;
  readonly subscriptions: readonly SubscriptionId[];
}

export interface Matches {
  readonly matches: readonly Match[];
  /** The subscriptions whose filter could not be evaluated on the event, and why. */
  readonly failed: ReadonlyMap<SubscriptionId, string>;
}

/** The workflows that want an event, of the subscriptions that are asked for. */
export function matchSubscribers(
  index: FilterIndex<Subscription>,
  event: Event,
  isAskedFor: (subscription: Subscription) => boolean,
): Matches {
  const matches = new Map<
    string,
    { target: Target; seq: number; subscriptions: SubscriptionId[] }
  >();
  const { matched, failed } = index.match(event);
  for (const subscription of matched) {
    if (!isAskedFor(subscription)) continue;
    const { workflowId, firstRunId, id, seq } = subscription;
    const key = `${workflowId}\0${firstRunId}`;
    const match = matches.get(key);
    if (match) {
      match.subscriptions.push(id);
      match.seq = Math.min(match.seq, seq);
    } else matches.set(key, { target: { workflowId, firstRunId }, seq, subscriptions: [id] });
  }
  const asked = failed.filter(({ value }) => isAskedFor(value));
  return {
    matches: [...matches.values()],
    failed: new Map(asked.map(({ value, error }) => [value.id, error])),
  };
}

// Counts what went wrong in a run, from its records alone. It expects of an event only what can be
// proved from the order in which the bench's process saw things, and all of that.
//
// - lost: acknowledged; posted after the subscription was held; matched; acknowledged before the
//   subscription's end could begin; and not received. Or it has a trigger, and started nothing.
// - duplicated: received by one subscription more than once, or a trigger's workflow started twice.
// - reordered: B was posted after A of the same source was acknowledged, one workflow has received
//   both, by one subscription or two, and B came before A. If the one that got A was not known to be
//   held when A was posted, A must be there by the request that was acknowledged: one that was not
//   answered may be carried out any time later, and then brings A once more, to subscriptions that
//   are newer than A.
// - leaked: in a source's snapshot, of a workflow that has ended.
// - unexpected: received though it was never posted, does not match, or was acknowledged, at the
//   first attempt, before the workflow was told to subscribe.

import type { SubscriptionId } from '../../events/subscription.ts';
import { TRIGGERS, wants } from './filters.ts';
import type {
  HeldSubscription,
  PostedEvent,
  Receipt,
  Records,
  RegisteredSubscription,
  TriggerStart,
} from './records.ts';

export interface Findings {
  readonly lost: readonly Lost[];
  readonly duplicated: readonly Duplicated[];
  readonly reordered: readonly Reordered[];
  readonly leaked: readonly RegisteredSubscription[];
  readonly unexpected: readonly Receipt[];
  /** How many receipts and starts were due: a run in which nothing was due proves nothing. */
  readonly expected: number;
}

export interface Lost {
  readonly event: PostedEvent;
  readonly by: HeldSubscription | TriggerStart;
}

export interface Duplicated {
  readonly event: string;
  /** The id of the subscription, or of the workflow that was started. */
  readonly by: string;
}

/** The second came first. */
export interface Reordered {
  readonly first: PostedEvent;
  readonly second: PostedEvent;
  /** The subscription that got the first too late. */
  readonly by: SubscriptionId;
}

export function check(records: Records): Findings {
  const events = new Map(records.events.map((event) => [event.id, event]));
  const held = new Map(
    records.subscriptions.map((subscription) => [subscription.id, subscription]),
  );
  const receipts = records.subscribers.flatMap(({ received }) => received);
  const received = new Set(receipts.map(toKey));
  const due = records.subscriptions.flatMap((by) =>
    records.events.filter((event) => isDue(event, by)).map((event) => ({ event, by })),
  );
  const starts = startsOf(records);
  return {
    expected: due.length + starts.length,
    lost: [
      ...due.filter(
        ({ event, by }) => !received.has(toKey({ subscription: by.id, event: event.id })),
      ),
      ...starts.filter(
        ({ event, by }) => event.acknowledgedAt !== undefined && by.runIds.length < 1,
      ),
    ],
    duplicated: [
      ...repetitionsIn(receipts).map(({ event, subscription }) => ({ event, by: subscription })),
      ...starts.flatMap(({ event, by }) =>
        by.runIds.slice(1).map(() => ({ event: event.id, by: by.workflowId })),
      ),
    ],
    reordered: records.subscribers.flatMap((subscriber) =>
      inversionsIn(subscriber.received, { events, held }),
    ),
    leaked: records.registered.filter(({ isRunning }) => !isRunning),
    unexpected: receipts.filter(({ event: id, subscription }) => {
      const event = events.get(id);
      const by = held.get(subscription);
      return event === undefined || (by !== undefined && !mayCome(event, by));
    }),
  };
}

/** Whether the subscription must have received the event. */
function isDue(event: PostedEvent, by: HeldSubscription): boolean {
  const { acknowledgedAt, postedAt, queued } = event;
  if (acknowledgedAt === undefined || postedAt < by.heldAt || !isWanted(event, by)) return false;
  switch (by.ending.kind) {
    case 'open':
      return true;
    case 'fence':
      return acknowledgedAt < by.ending.at;
    case 'cut':
    default:
      return acknowledgedAt < by.ending.at && !queued;
  }
}

function isWanted({ source, body }: PostedEvent, by: HeldSubscription): boolean {
  return source === by.source && wants(by.filter, body);
}

/** Whether the subscription wants it, and it was not over before there was the subscription. */
function mayCome(event: PostedEvent, by: HeldSubscription): boolean {
  const { acknowledgedAt = Number.POSITIVE_INFINITY, attempts } = event;
  return isWanted(event, by) && (attempts > 1 || acknowledgedAt > by.toldAt);
}

/** The events that a trigger wants, with what they have started. */
function startsOf({ events, starts }: Records): Array<{ event: PostedEvent; by: TriggerStart }> {
  const runIds = new Map(starts.map((start) => [start.workflowId, start.runIds]));
  return events.flatMap((event) => {
    const trigger = event.body.starts && TRIGGERS[event.source];
    if (trigger === undefined) return [];
    const workflowId = `${trigger}/${event.id}`;
    return [{ event, by: { workflowId, runIds: runIds.get(workflowId) ?? [] } }];
  });
}

/** Every receipt of an event that its subscription had received before. */
function repetitionsIn(receipts: readonly Receipt[]): Receipt[] {
  const seen = new Set<string>();
  return receipts.filter((receipt) => {
    const isRepetition = seen.has(toKey(receipt));
    seen.add(toKey(receipt));
    return isRepetition;
  });
}

interface Known {
  readonly events: ReadonlyMap<string, PostedEvent>;
  readonly held: ReadonlyMap<string, HeldSubscription>;
}

/** Every receipt that came after one that was posted once it was acknowledged. */
function inversionsIn(receipts: readonly Receipt[], { events, held }: Known): Reordered[] {
  // The receipt that was posted last, of each source.
  const latest = new Map<string, PostedEvent>();
  const seen = new Set<string>();
  const inversions: Reordered[] = [];
  for (const receipt of receipts) {
    const event = events.get(receipt.event);
    // A repetition is counted as one, and is no news of the order.
    if (event === undefined || seen.has(toKey(receipt))) continue;
    seen.add(toKey(receipt));
    const by = held.get(receipt.subscription);
    const wasHeld = by !== undefined && by.heldAt < event.postedAt;
    const acknowledgedAt = event.acknowledgedAt ?? Number.POSITIVE_INFINITY;
    const second = latest.get(event.source);
    const isLate = second !== undefined && acknowledgedAt < second.postedAt;
    if (isLate && (wasHeld || event.attempts === 1)) {
      inversions.push({ first: event, second, by: receipt.subscription });
    }
    if ((second?.postedAt ?? 0) < event.postedAt) latest.set(event.source, event);
  }
  return inversions;
}

function toKey({ subscription, event }: Receipt): string {
  return `${subscription} ${event}`;
}

// Dispatches what is in the backlog of a source: the same match and the same signals as
// in the ingress, for the subscriptions that were there when each event was accepted.

import { Context, heartbeat } from '@temporalio/activity';

import { retrying } from '../dispatch/failures.ts';
import type { Lanes } from '../dispatch/lanes.ts';
import { matchSubscribers } from '../dispatch/matcher.ts';
import { CALL_MS_MAX, type SourceClient } from '../dispatch/source-client.ts';
import { Subscribers } from '../dispatch/subscribers.ts';
import type { Subscription, SubscriptionId } from '../events/subscription.ts';
import { storedEventWorkflowId, type PlacedEntry } from '../workflows/messages.ts';

/** How many events are on their way at once. */
const IN_FLIGHT_MAX = 32;

/** How long it may take to know every subscription: nobody waits for an answer here. */
const READING_MS_MAX = 10_000;

/** How often the server hears how far the activity is. */
const HEARTBEAT_MS = 1_000;

export interface BacklogRequest {
  readonly source: string;
  /** Oldest first. */
  readonly entries: readonly PlacedEntry[];
}

export interface BacklogDeps {
  readonly client: SourceClient;
  /** Lanes that never give up: the events are acknowledged. */
  readonly lanes: Lanes;
}

export function createBacklogActivities(deps: BacklogDeps) {
  const subscribersOf = new Map<string, Subscribers>();
  return {
    /** Ends once every entry is durable with everybody who wants it. */
    async nexteventDispatchBacklog({ source, entries }: BacklogRequest): Promise<void> {
      const subscribers =
        subscribersOf.get(source) ??
        new Subscribers(source, deps.client, {
          readingMsMax: READING_MS_MAX,
          queryMsMax: READING_MS_MAX,
          asksBesideBacklog: true,
        });
      subscribersOf.set(source, subscribers);
      let done = Number(Context.current().info.heartbeatDetails ?? 0);
      const beat = setInterval(() => heartbeat(done), HEARTBEAT_MS);
      try {
        const { kind } = await subscribers.read();
        if (kind !== 'current') throw new Error(`the subscriptions of ${source} are unknown`);
        while (done < entries.length) {
          Context.current().cancellationSignal.throwIfAborted();
          const chunk = entries.slice(done, done + IN_FLIGHT_MAX);
          await dispatchEntries(deps, subscribers, chunk);
          done += chunk.length;
        }
      } finally {
        clearInterval(beat);
      }
    },
  };
}

/** Events are loaded side by side, and signalled in order. */
async function dispatchEntries(
  { client, lanes }: BacklogDeps,
  { source, index, suspended, version }: Subscribers,
  entries: readonly PlacedEntry[],
): Promise<void> {
  const load = (id: string) => retrying(CALL_MS_MAX, () => client.loadEvent(id));
  const events = await Promise.all(
    entries.map(({ eventId: id, storedIn = storedEventWorkflowId({ source, id }) }) =>
      load(storedIn),
    ),
  );
  const gone: SubscriptionId[] = [];
  const refused: SubscriptionId[] = [];
  const signals = entries.flatMap((entry, place) => {
    const event = events[place];
    if (event === undefined) return [];
    const isWanted = (subscription: Subscription): boolean => isFor(entry, subscription);
    // These took no more when its turn came.
    for (const missed of matchSubscribers(suspended, event, isWanted).matches) {
      refused.push(...missed.subscriptions);
    }
    const { matches } = matchSubscribers(index, event, isWanted);
    return matches.map(async ({ target, subscriptions }) => {
      const outcome = await lanes.push(target, { event, subscriptions });
      if (outcome === 'gone') gone.push(...subscriptions);
      if (outcome === 'refused') {
        console.error(`${target.workflowId} takes no more signals: it got no ${event.id}`);
        refused.push(...subscriptions);
      }
      if (outcome === 'stuck' || outcome === 'overloaded') {
        throw new Error(`${target.workflowId} takes no signal`);
      }
    });
  });
  await Promise.all(signals);
  if (gone.length > 0) await client.unregister(source, gone);
  for (const [undeliverable, ids] of countRefused(refused)) {
    await client.suspend(source, { ids, undeliverable, upTo: version });
  }
}

/** Those that missed as many events each, by how many. */
function countRefused(refused: readonly SubscriptionId[]): Map<number, SubscriptionId[]> {
  const counts = new Map<SubscriptionId, number>();
  for (const id of refused) counts.set(id, (counts.get(id) ?? 0) + 1);
  const byCount = new Map<number, SubscriptionId[]>();
  for (const [id, count] of counts) byCount.set(count, [...(byCount.get(count) ?? []), id]);
  return byCount;
}

/** Whether the event has yet to reach the subscription: it was there, and nobody has tried. */
function isFor(entry: PlacedEntry, { seq, workflowId }: Subscription): boolean {
  if (seq > entry.place) return false;
  return seq > entry.after || entry.leftOver?.includes(workflowId) === true;
}

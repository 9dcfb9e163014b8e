// How code waits for an event, and gets it.

import { CancellationScope, patched, sleep } from '@temporalio/workflow';
import type { Duration } from '@temporalio/common';

import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import { SubscriptionOverflowError, UnknownSubscriptionError } from './errors.ts';
import type { Inbox } from './inbox.ts';
import { SETTLE_PATCH } from './local-results.ts';
import { NEWEST_TURNS } from './turns.ts';
import type { Because, Waiter } from './waiters.ts';

/** Longest summary of a timer, in characters; the server takes 400 bytes. */
const SUMMARY_LENGTH_MAX = 200;

export interface Wait {
  readonly ids: ReadonlySet<SubscriptionId>;
  readonly timeoutMs: number | undefined;
  /** The timeout as it was given. */
  readonly timeout: Duration | undefined;
  /** What was there already, and waits for its turn. */
  readonly taken?: Event | undefined;
}

/**
 * For a run that holds nothing but what its trigger feeds. With the first registration it comes by
 * itself; the histories of older code have neither.
 */
export function beginTurns(inbox: Inbox): void {
  if (inbox.turns.haveBegun) return;
  if (patched(SETTLE_PATCH)) inbox.turns.begin(NEWEST_TURNS);
  else if (patched('all-in-turn')) inbox.turns.begin({ inTurn: 'everyone' });
  else if (patched('in-turn')) inbox.turns.begin({ inTurn: true });
}

/** Waits for an event, unless the run ends first: then the event is for the next one. */
export async function wait(inbox: Inbox, wanted: Wait): Promise<Event | undefined> {
  const event = await untilGoingOn(inbox, wanted);
  return event !== undefined && inbox.closed ? waitOn(inbox, wanted, event) : event;
}

/** Takes an event that is there without waiting for a turn: it is for the next run if this one ends. */
export async function settle(inbox: Inbox, wanted: Wait, taken: Event): Promise<Event | undefined> {
  const { ids } = wanted;
  const event = await new Promise<Event>((goOn, reject) => {
    const abandon: Waiter['abandon'] = (because) => reject(abandonment(because));
    inbox.turns.give({ ids, goOn, abandon, stop() {} }, taken);
  });
  return inbox.closed ? waitOn(inbox, wanted, event) : event;
}

/** Nothing comes any more, unless it can not continue as new. */
function waitOn(inbox: Inbox, { ids }: Wait, event: Event): Promise<Event | undefined> {
  inbox.giveBack(event);
  return wait(inbox, { ids, timeoutMs: undefined, timeout: undefined });
}

/** Waits in a scope of its own, so that nothing outlives the wait. */
function untilGoingOn(inbox: Inbox, wanted: Wait): Promise<Event | undefined> {
  const { ids, timeoutMs, taken } = wanted;
  const scope = new CancellationScope();
  return scope.run(
    () =>
      new Promise((resolve, reject) => {
        const timer = new CancellationScope();
        const waiter = {
          ids,
          stop: () => timer.cancel(),
          goOn: resolve,
          abandon(because: Because) {
            timer.cancel();
            reject(abandonment(because));
          },
        };
        if (taken === undefined) inbox.wait(waiter);
        else inbox.turns.queue(waiter, taken);
        scope.cancelRequested.catch((error: unknown) => {
          if (inbox.leave(waiter)) reject(error);
        });
        if (taken === undefined && timeoutMs !== undefined) expire().catch(() => {});

        /** Cancelled when an event comes, or by the scope, whose cancellation is heard above. */
        async function expire(): Promise<void> {
          const summary = toSummary(inbox, wanted);
          await timer.run(() => sleep(timeoutMs ?? 0, { summary }));
          // An event that came in the same task has won.
          if (inbox.turns.isForEveryone && inbox.turns.isPromised(waiter)) return;
          if (inbox.leave(waiter)) resolve(inbox.take(ids));
        }
      }),
  );
}

/** What the timer is for, in the Temporal UI: `nextEvent github or 2 days`. */
function toSummary(inbox: Inbox, { ids, timeout }: Wait): string {
  const sources = [...new Set([...ids].map((id) => inbox.sourceOf(id)))].join(', ');
  const time = typeof timeout === 'number' ? `${timeout} ms` : timeout;
  return `nextEvent ${sources} or ${time}`.slice(0, SUMMARY_LENGTH_MAX);
}

function abandonment(because: Because): Error {
  if (because === 'suspended') return overflow();
  return new UnknownSubscriptionError('every subscription waited for was unsubscribed');
}

export function overflow(): Error {
  return new SubscriptionOverflowError(
    'this run has taken as many events as it can: continue as new to get more',
  );
}

// The records of an inbox: they are in headers, and so in histories. Add to them, never change.

import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import type { ResponsesState } from './respond.ts';
import type { TurnsBegun } from './turns.ts';

/** A subscription that this workflow holds. */
export interface HeldSubscription {
  readonly id: SubscriptionId;
  readonly source: string;
  readonly filter: string;
  /** Events that arrived up to here are not for it. */
  readonly position: number;
  /** How many events have come for it. */
  readonly received?: number;
  /** The source that the name stood for when it was subscribed. */
  readonly resolved?: string;
  /** Which run registered it last, as its source knows it: see `runTag`. Older states do not say. */
  readonly run?: string;
  /** Whether the search attribute is to name it. */
  readonly isSearchable?: boolean;
}

/** What is subscribed to. */
export type Wish = Pick<HeldSubscription, 'id' | 'source' | 'filter' | 'resolved' | 'run'>;

/** As much of a subscription as it takes to end it. */
export type Ended = Pick<HeldSubscription, 'id' | 'source' | 'resolved'>;

export function toEnded({ id, source, resolved }: HeldSubscription): Ended {
  return { id, source, ...(resolved !== undefined && { resolved }) };
}

/** What crosses continue-as-new. */
export interface InboxState extends TurnsBegun {
  /** No more events came: the run had taken all that it could. */
  readonly suspended?: true;
  readonly position: number;
  readonly held: readonly HeldSubscription[];
  /** Ended, but their source may not have heard of it. */
  readonly releasing: readonly Ended[];
  readonly events: readonly Event[];
  /** Index of the event, index of the held subscription (-1: the trigger's); oldest first. */
  readonly unread: ReadonlyArray<readonly [event: number, held: number]>;
  /** Key, position, and the indexes of the held subscriptions that have got the event. */
  readonly window: ReadonlyArray<readonly [key: string, position: number, ...held: number[]]>;
  readonly responses?: ResponsesState;
}

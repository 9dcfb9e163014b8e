// The last events that a workflow has received, each with the subscriptions that have got it. An
// event that comes again is told by it.

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import type { InboxState } from './inbox-state.ts';

/** How many events a workflow remembers, to tell a repetition. */
export const WINDOW_EVENTS_MAX = 4_096;

/** Hexadecimal digits of an event's key: 96 bits. */
const KEY_LENGTH = 24;

export interface Seen {
  readonly position: number;
  readonly takenBy: Set<SubscriptionId>;
  /** No subscription that is made from now on gets it, also if it came early for that one. */
  isPast?: true;
}

export class EventWindow {
  readonly #seen = new Map<string, Seen>();

  find(key: string): Seen | undefined {
    return this.#seen.get(key);
  }

  positionOf(event: Event): number {
    return this.find(keyOf(event))?.position ?? 0;
  }

  /**
   * Notes that the subscription gets the event, which has this position if it is not known. False if
   * it has got it before.
   */
  admit(event: Event, id: SubscriptionId, position: number): boolean {
    const key = keyOf(event);
    const seen = this.find(key) ?? { position, takenBy: new Set() };
    if (seen.takenBy.has(id)) return false;
    this.remember(key, seen);
    seen.takenBy.add(id);
    return true;
  }

  /** What an earlier run has received is past, and what the workflow has read. */
  pass(event: Event): void {
    const seen = this.find(keyOf(event));
    if (seen) seen.isPast = true;
  }

  remember(key: string, seen: Seen): void {
    this.#seen.set(key, seen);
    if (this.#seen.size <= WINDOW_EVENTS_MAX) return;
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined) this.#seen.delete(oldest);
  }

  toState(placesOf: (ids: Iterable<SubscriptionId>) => number[]): InboxState['window'] {
    return [...this.#seen].map(
      ([key, seen]) => [key, seen.position, ...placesOf(seen.takenBy)] as const,
    );
  }

  restore(
    window: InboxState['window'],
    idAt: (index: number) => SubscriptionId | readonly [],
  ): void {
    for (const [key, position, ...held] of window) {
      this.#seen.set(key, { position, takenBy: new Set(held.flatMap(idAt)), isPast: true });
    }
  }
}

const keys = new WeakMap<Pick<Event, 'source' | 'id'>, string>();

/** The same for the same event, as its source and its id name it. */
export function keyOf(event: Pick<Event, 'source' | 'id'>): string {
  const known = keys.get(event);
  if (known !== undefined) return known;
  const { source, id } = event;
  const key = bytesToHex(sha256(utf8ToBytes(`${source}\0${id}`))).slice(0, KEY_LENGTH);
  keys.set(event, key);
  return key;
}

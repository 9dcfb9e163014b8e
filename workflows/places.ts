// The places of events among all that has arrived, also of those that the window has forgotten.

import type { Event } from '../events/event.ts';
import type { EventWindow } from './event-window.ts';
import { toTaken, type Placed, type Unread } from './unread.ts';

export class Places {
  readonly #window: EventWindow;
  readonly #noted = new WeakMap<Event, number>();

  constructor(window: EventWindow) {
    this.#window = window;
  }

  readonly of = (event: Event): number =>
    this.#window.positionOf(event) || (this.#noted.get(event) ?? 0);

  note(event: Event, position: number): void {
    this.#noted.set(event, position);
  }

  /** What the run before left, oldest first: what the window does not know is older than all of that. */
  noteCarried(unread: readonly Unread[]): void {
    for (const [index, { event }] of unread.entries()) this.note(event, index - unread.length);
  }

  /** As its reader gets it. */
  take(one: Unread): Event {
    const taken = toTaken(one);
    this.note(taken, this.of(one.event));
    return taken;
  }

  /** As it was before its reader was to get it. */
  giveBack(taken: Event): readonly Placed[] {
    const { subscription: id, ...event } = taken;
    if (id === undefined) return [];
    const position = this.of(taken);
    this.note(event, position);
    return [{ one: { event, id }, position }];
  }
}

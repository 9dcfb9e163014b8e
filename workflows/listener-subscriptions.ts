// What a listener subscribes to, and the readers of it: they take every event the moment it is
// there, so that the run is never full of what nobody reads.

import {
  events,
  SubscriptionOverflowError,
  subscribe,
  unsubscribe,
  UnknownSubscriptionError,
} from './subscribe.ts';
import type { Event } from '../events/event.ts';
import type { ListenerDefinition } from '../events/listener.ts';
import { currentInbox } from './current-inbox.ts';
import type { HeldSubscription } from './listener-records.ts';

export class Subscriptions {
  readonly #take: (event: Event) => void;
  #held: readonly HeldSubscription[];
  /** What was taken while some are replaced: those that take their place may have it, too. */
  #replacing: Set<string> | undefined;
  #isFull = false;
  #readers = 0;

  /** `held`: those that the run before had. */
  constructor(held: readonly HeldSubscription[], take: (event: Event) => void) {
    this.#held = held;
    this.#take = take;
    for (const { id } of held) void this.#read(id);
  }

  get held(): readonly HeldSubscription[] {
    return this.#held;
  }

  /** The run takes no more events: the next one does. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Something has come that a reader has yet to take. */
  get areBehind(): boolean {
    if (this.#readers === 0) return false;
    const inbox = currentInbox();
    return inbox.turns.events.length > 0 || inbox.describe().some(({ unread }) => unread > 0);
  }

  /**
   * Makes them those of a definition. No event that both want is missed, or taken twice.
   *
   * @throws what `subscribe` throws, and then all is as it was
   */
  async replace({
    sources,
    filter,
  }: Pick<ListenerDefinition, 'sources' | 'filter'>): Promise<void> {
    const kept = this.#held.filter(
      (held) => held.filter === filter && sources.includes(held.source),
    );
    const missing = sources.filter((source) => !kept.some((held) => held.source === source));
    const taken = new Set<string>();
    this.#replacing = taken;
    const made: HeldSubscription[] = [];
    try {
      for (const source of missing) {
        made.push({ id: await subscribe(source, filter), source, filter });
      }
    } catch (error) {
      for (const { id } of made) await unsubscribe(id);
      throw error;
    } finally {
      this.#replacing = undefined;
    }
    const ended = this.#held.filter((held) => !kept.includes(held));
    this.#held = [...kept, ...made];
    // From here to the last line nothing waits: no event comes in between.
    const ending = ended.map(({ id }) => unsubscribe(id));
    for (const { id } of made) void this.#read(id, taken);
    await Promise.all(ending);
  }

  /** Ends all of them. */
  async end(): Promise<void> {
    const ended = this.#held;
    this.#held = [];
    await Promise.all(ended.map(({ id }) => unsubscribe(id)));
  }

  async #read(id: string, taken?: ReadonlySet<string>): Promise<void> {
    this.#readers += 1;
    try {
      for await (const event of events(id)) {
        const key = JSON.stringify([event.source, event.id]);
        this.#replacing?.add(key);
        if (!taken?.has(key)) this.#take(event);
      }
    } catch (error) {
      // It was unsubscribed.
      if (error instanceof UnknownSubscriptionError) return;
      if (!(error instanceof SubscriptionOverflowError)) throw error;
      this.#isFull = true;
    } finally {
      this.#readers -= 1;
    }
  }
}

import type { Event } from '../events/event.ts';

/** One look through the filters of a source, for one event. */
export interface MatchPass {
  readonly seconds: number;
  /** How many subscriptions or triggers wanted the event. */
  readonly matched: number;
  /** How many filters could not be evaluated on it. */
  readonly failed: number;
}

/** An event that is durable wherever it has to go. */
export interface DispatchedEvent {
  /** `slow`: it is in the backlog of its source. */
  readonly path: 'fast' | 'slow';
  readonly started: number;
  readonly signalled: number;
  /** This process has dispatched it before. */
  readonly isRepeated: boolean;
}

/** What the dispatcher tells whoever counts. Calls return at once, and do not throw. */
export interface DispatchObserver {
  matched(source: string, pass: MatchPass): void;
  dispatched(source: string, event: DispatchedEvent): void;
}

/** Nobody counts. */
export const NO_OBSERVER: DispatchObserver = { matched() {}, dispatched() {} };

/** Does a match, and tells how long it took. */
export function observeMatch<T extends { readonly matched: number; readonly failed: number }>(
  observer: DispatchObserver,
  source: string,
  match: () => T,
): T {
  const startedAt = performance.now();
  const result = match();
  const { matched, failed } = result;
  observer.matched(source, { seconds: (performance.now() - startedAt) / 1_000, matched, failed });
  return result;
}

/** Of so many events of each source it is known that they were dispatched. */
const REMEMBERED_MAX = 4_096;

/** The last events of each source that this process has dispatched. */
export class DispatchedBefore {
  readonly #ids = new Map<string, Set<string>>();

  /** Adds an event, and tells whether it was there. */
  add({ source, id }: Pick<Event, 'source' | 'id'>): boolean {
    const ids = this.#ids.get(source) ?? new Set<string>();
    this.#ids.set(source, ids);
    const isRepeated = ids.delete(id);
    ids.add(id);
    const [oldest] = ids;
    if (ids.size > REMEMBERED_MAX && oldest !== undefined) ids.delete(oldest);
    return isRepeated;
  }
}

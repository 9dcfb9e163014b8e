// The events that a source has to dispatch yet, oldest first.

import { countTogether } from '../events/together.ts';
import type { AcceptRequest, PlacedEntry } from './messages.ts';

export class PlacedBacklog {
  #entries: PlacedEntry[] = [];
  #bytes = 0;

  get entries(): readonly PlacedEntry[] {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  load(entries: readonly PlacedEntry[]): void {
    this.#entries = [...entries];
    this.#bytes = entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
  }

  /** Their place is the version of the source: later subscriptions get none of them. */
  add({ entries }: AcceptRequest, place: number, firstRunId: string): void {
    for (const { chain = firstRunId, after, ...entry } of entries) {
      const placed = { ...entry, after: chain === firstRunId ? after : 0, place };
      this.#entries.push(placed);
      this.#bytes += bytesOf(placed);
    }
  }

  /** The oldest: so many at the most, and about so many bytes of them, or one. */
  oldest(countMax: number, bytesMax: number): readonly PlacedEntry[] {
    const entries = this.#entries.slice(0, countMax);
    return entries.slice(0, countTogether(entries, bytesOf, bytesMax));
  }

  /** The oldest have been dispatched. */
  dispatched(count: number): void {
    for (const entry of this.#entries.splice(0, count)) this.#bytes -= bytesOf(entry);
  }
}

function bytesOf(entry: PlacedEntry): number {
  return JSON.stringify(entry).length;
}

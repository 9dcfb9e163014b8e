// What a source does not have in memory, oldest first: segments, which are in workflows of their
// own, and a layer that is on its way into one. A step that is begun is the same however often it
// is done, and is committed in one workflow task.

import {
  addTally,
  EMPTY_LAYER,
  EMPTY_TALLY,
  itemsOf,
  tallyLayer,
  type Tally,
} from '../events/layer.ts';
import type { Layer } from '../events/operation.ts';
import type { SegmentReference } from './messages.ts';
import type { Merged, Merging, ObsoleteSegment, SourceState } from './source-records.ts';

/** What a merge makes is as large as this many times what moves at once. */
const SEGMENT_SHARE = 4;

/** So many small segments in a row, the newest ones, are merged. */
const SMALL_SEGMENTS_MAX = 8;

/** All segments are merged if more than this share of them is changes of what is in others. */
const OPERATIONS_SHARE_MAX = 0.3;

/** What a reference takes in what the next run is given, in bytes of JSON. */
const REFERENCE_BYTES = 220;

export class ColdLayers {
  #moving: Layer | undefined;
  #movingTally = EMPTY_TALLY;
  #tally = EMPTY_TALLY;
  #maxVersion = 0;
  #segments: readonly SegmentReference[] = [];
  #merging: Merging | undefined;
  #made = 0;
  #obsolete: readonly ObsoleteSegment[] = [];

  load(state: SourceState): void {
    this.#segments = state.segments ?? [];
    this.#merging = state.merging;
    this.#made = state.segmentsMade ?? 0;
    this.#obsolete = state.obsolete ?? [];
    if (state.moving) this.beginMove(state.moving);
    this.#count();
  }

  toState(): Partial<SourceState> {
    return {
      ...(this.#moving && { moving: this.#moving }),
      ...(this.#segments.length > 0 && { segments: this.#segments }),
      ...(this.#merging && { merging: this.#merging }),
      ...(this.#made > 0 && { segmentsMade: this.#made }),
      ...(this.#obsolete.length > 0 && { obsolete: this.#obsolete }),
    };
  }

  /** Whether there is no subscription but in memory. */
  get isEmpty(): boolean {
    return this.#moving === undefined && this.#segments.length === 0;
  }

  get moving(): Layer | undefined {
    return this.#moving;
  }

  get merging(): Merging | undefined {
    return this.#merging;
  }

  get segments(): readonly SegmentReference[] {
    return this.#segments;
  }

  get obsolete(): readonly ObsoleteSegment[] {
    return this.#obsolete;
  }

  /** The number of the next segment; with each step that is committed, another one. */
  get made(): number {
    return this.#made;
  }

  /** Nothing in here has changed after this version. */
  get maxVersion(): number {
    return this.#maxVersion;
  }

  get tally(): Tally {
    return this.#tally;
  }

  /** Of what is on its way. */
  get movingBytes(): number {
    return this.#movingTally.bytes;
  }

  /** About how much of it crosses continue-as-new. */
  get carriedBytes(): number {
    const references = this.#segments.length + this.#obsolete.length;
    return this.#movingTally.bytes + references * REFERENCE_BYTES;
  }

  beginMove(layer: Layer): void {
    this.#moving = layer;
    this.#movingTally = tallyLayer(layer);
    this.#count();
  }

  moved(segment: SegmentReference): void {
    this.#segments = [...this.#segments, segment];
    this.#made += 1;
    this.#moving = undefined;
    this.#movingTally = EMPTY_TALLY;
    this.#count();
  }

  /** Which segments are to be merged, if any are. */
  toMerge(segmentBytes: number): Merging | undefined {
    if (this.#merging) return this.#merging;
    const all = this.#segments.length;
    let live = 0;
    let operations = 0;
    for (const segment of this.#segments) {
      live += segment.subscriptions;
      operations += segment.operations;
    }
    if (operations > OPERATIONS_SHARE_MAX * (Math.max(0, live) + operations)) {
      return { from: 0, count: all };
    }
    const isLarge = ({ bytes }: SegmentReference) => bytes >= (SEGMENT_SHARE / 2) * segmentBytes;
    const from = this.#segments.findLastIndex(isLarge) + 1;
    return all - from >= SMALL_SEGMENTS_MAX ? { from, count: all - from } : undefined;
  }

  /** Gives the segments that are to be merged, oldest first. */
  beginMerge(merging: Merging): readonly SegmentReference[] {
    this.#merging = merging;
    return this.#segments.slice(merging.from, merging.from + merging.count);
  }

  merged({ segments }: Merged, nowMs: number): void {
    if (this.#merging === undefined) return;
    const { from, count } = this.#merging;
    const replaced = this.#segments.slice(from, from + count);
    const kept = new Set(segments.map(({ name }) => name));
    this.#segments = [
      ...this.#segments.slice(0, from),
      ...segments,
      ...this.#segments.slice(from + count),
    ];
    this.#obsolete = [
      ...this.#obsolete,
      ...replaced.filter(({ name }) => !kept.has(name)).map((segment) => ({ segment, at: nowMs })),
    ];
    this.#made += segments.length + 1;
    this.#merging = undefined;
    this.#count();
  }

  dropped(segments: readonly SegmentReference[]): void {
    const names = new Set(segments.map(({ name }) => name));
    this.#obsolete = this.#obsolete.filter(({ segment }) => !names.has(segment.name));
  }

  /** Kept, because they are asked for in every turn. */
  #count(): void {
    this.#tally = this.#segments.reduce<Tally>(
      (tally, segment) => addTally(tally, segment),
      this.#movingTally,
    );
    const moving = itemsOf(this.#moving ?? EMPTY_LAYER);
    this.#maxVersion = Math.max(
      0,
      ...[...moving].map(({ version }) => version),
      ...this.#segments.map(({ maxVersion }) => maxVersion),
    );
  }
}

/** How large the segments are that a merge makes, in bytes. */
export function segmentBytesMax(segmentBytes: number): number {
  return SEGMENT_SHARE * segmentBytes;
}

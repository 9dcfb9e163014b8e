// The subscriptions of a source: some in memory, and older ones in segments.

import { addTally, EMPTY_LAYER, type Tally } from '../events/layer.ts';
import {
  addOperation,
  applyOperation,
  versionOfOperation,
  type Layer,
  type Operation,
} from '../events/operation.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import { ColdLayers } from './cold-layers.ts';
import { HotLayer } from './hot-layer.ts';
import type { SourceState } from './source-records.ts';

/** When something moves to a segment, and how much. */
export interface StoreBounds {
  /** So many bytes may be in memory. */
  readonly hotBytesMax: number;
  /** So many, at the most, move at once. */
  readonly segmentBytes: number;
}

export class Layers {
  readonly hot = new HotLayer();
  readonly cold = new ColdLayers();

  load(state: SourceState): void {
    const { subscriptions, operations = [] } = state;
    this.hot.add({ subscriptions, operations });
    this.cold.load(state);
  }

  toState() {
    const { subscriptions, operations } = this.hot.toLayer();
    return {
      subscriptions,
      ...(operations.length > 0 && { operations }),
      ...this.cold.toState(),
    };
  }

  get tally(): Tally {
    return addTally(this.hot.tally, this.cold.tally);
  }

  /** Of what is not in segments. */
  get hotBytes(): number {
    return this.hot.tally.bytes + this.cold.movingBytes;
  }

  /** About how much crosses continue-as-new. */
  get carriedBytes(): number {
    return this.hot.tally.bytes + this.cold.carriedBytes;
  }

  /** What is not in segments, older ones first. */
  get inMemory(): readonly Layer[] {
    return [this.cold.moving ?? EMPTY_LAYER, this.hot.toLayer()];
  }

  /** Whether all that there is of it is in memory. */
  isKnown(id: SubscriptionId): boolean {
    if (this.hot.get(id) !== undefined) return true;
    return this.cold.isEmpty && this.hot.operationsOn(id).length === 0;
  }

  /** It is to be a new one to who has not heard yet of its removal, which is forgotten now. */
  bury(id: SubscriptionId, version: number): void {
    if (this.isKnown(id) || this.hot.operationsOn(id).length > 0) return;
    this.hot.operate(id, [{ kind: 'unregister', version, isFresh: true }]);
  }

  /** Whatever there may be of it, where nobody knows, is not newer than this. */
  newestOf(id: SubscriptionId): number {
    return Math.max(this.cold.maxVersion, ...this.hot.operationsOn(id).map(versionOfOperation));
  }

  /** Gives whether the operation may change something. */
  operate(id: SubscriptionId, operation: Operation): boolean {
    if (this.isKnown(id)) {
      const held = this.hot.get(id);
      const after = applyOperation(held, operation);
      if (after === held) return false;
      if (after) this.hot.put(after);
      else this.hot.delete(id);
    } else {
      const before = this.hot.operationsOn(id);
      const after = addOperation(before, operation);
      if (after === before) return false;
      this.hot.operate(id, after);
    }
    return true;
  }

  /** Whether so much is in memory that some of it is to move, or it has begun to. */
  isToMove(hotBytesMax: number): boolean {
    return this.cold.moving !== undefined || this.hot.tally.bytes > hotBytesMax;
  }

  /** Whether there is something to move or to merge. */
  isToStore({ hotBytesMax, segmentBytes }: StoreBounds): boolean {
    return this.isToMove(hotBytesMax) || this.cold.toMerge(segmentBytes) !== undefined;
  }

  /**
   * Takes the oldest out of memory, as long as they are on their way into a segment: from now on it
   * is not known what there is of them. Half of what may be in memory stays.
   */
  beginMove({ hotBytesMax, segmentBytes }: StoreBounds): Layer {
    if (this.cold.moving) return this.cold.moving;
    const surplus = this.hot.tally.bytes - hotBytesMax / 2;
    const layer = this.hot.oldest(Math.min(segmentBytes, surplus));
    this.resumeMove(layer);
    return layer;
  }

  /** The same, when it is known what it took. */
  resumeMove(layer: Layer): void {
    if (this.cold.moving) return;
    for (const { id } of layer.subscriptions) this.hot.delete(id);
    for (const [id] of layer.operations) this.hot.delete(id);
    this.cold.beginMove(layer);
  }
}

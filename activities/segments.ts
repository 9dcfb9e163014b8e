// Writes and merges the segments of a source. What an attempt has written and nobody has heard of
// is found again by the next one: the same content has the same name.

import { setImmediate as turn } from 'node:timers/promises';

import { Context, heartbeat } from '@temporalio/activity';

import { retrying } from '../dispatch/failures.ts';
import { toContent, type SegmentContent, type SegmentLayers } from '../dispatch/segment-client.ts';
import { CALL_MS_MAX, type SourceClient } from '../dispatch/source-client.ts';
import { addTally, EMPTY_TALLY, itemsOf, tallyLayer } from '../events/layer.ts';
import type { Layer } from '../events/operation.ts';
import type { SegmentReference } from '../workflows/messages.ts';
import type { Merged } from '../workflows/source-records.ts';
import { Merge } from './merge.ts';

/** What one segment takes at the most when it is compressed, in bytes: the server takes 2 MiB. */
const COMPRESSED_BYTES_MAX = 1.5 * 1024 * 1024;

/** How often the server hears that it is at work. */
const HEARTBEAT_MS = 1_000;

export interface SegmentRequest {
  readonly source: string;
  readonly number: number;
  readonly layer: Layer;
}

export interface MergeRequest {
  readonly source: string;
  /** That of the first segment to make. */
  readonly number: number;
  /** Oldest first. */
  readonly segments: readonly SegmentReference[];
  /** Whether there is no segment before them. */
  readonly isOldest: boolean;
  /** How large what it makes may be, in bytes. */
  readonly bytesMax: number;
}

export interface DropRequest {
  readonly source: string;
  readonly segments: readonly SegmentReference[];
}

export function createSegmentActivities({ client }: { readonly client: SourceClient }) {
  return {
    async nexteventWriteSegment(request: SegmentRequest): Promise<SegmentReference> {
      return beating(async () => write(client, request, await toContent(request.layer)));
    },

    /** Reads them twice, and has one of them in memory, and the changes of all. */
    async nexteventMergeSegments(request: MergeRequest): Promise<Merged> {
      return beating(() => mergeSegments(client, request));
    },

    async nexteventDropSegments({ source, segments }: DropRequest): Promise<void> {
      for (const segment of segments) {
        heartbeat();
        await retrying(CALL_MS_MAX, () => client.segments.drop(source, segment));
      }
    },
  };
}

async function mergeSegments(client: SourceClient, request: MergeRequest): Promise<Merged> {
  const { source, segments, isOldest } = request;
  const merge = new Merge();
  for (const segment of segments) {
    for await (const layer of layersOf(client, source, segment)) merge.collect(layer);
  }
  const writer = new SegmentWriter(client, request);
  for (const segment of segments) {
    for await (const layer of layersOf(client, source, segment)) {
      await writer.add(merge.apply(layer));
    }
  }
  for (const layer of merge.rest(isOldest)) await writer.add(layer);
  return { segments: await writer.end(), removedUpTo: merge.removedUpTo };
}

/** Other activities of the process have their turns between the parts. */
async function* layersOf(
  client: SourceClient,
  source: string,
  segment: SegmentReference,
): AsyncIterable<Layer> {
  Context.current().cancellationSignal.throwIfAborted();
  const read = (): Promise<SegmentLayers> => client.segments.read(source, segment);
  for (const layer of await retrying(CALL_MS_MAX, read)) {
    yield layer;
    await turn();
  }
}

/** Cuts what it is given into segments. */
class SegmentWriter {
  readonly #client: SourceClient;
  readonly #source: string;
  readonly #bytesMax: number;
  readonly #made: SegmentReference[] = [];
  #number: number;
  #layer = {
    subscriptions: [] as Layer['subscriptions'][number][],
    operations: [] as Layer['operations'][number][],
  };
  #tally = EMPTY_TALLY;

  constructor(client: SourceClient, { source, number, bytesMax }: MergeRequest) {
    this.#client = client;
    this.#source = source;
    this.#number = number;
    this.#bytesMax = bytesMax;
  }

  async add(layer: Layer): Promise<void> {
    this.#layer.subscriptions.push(...layer.subscriptions);
    this.#layer.operations.push(...layer.operations);
    this.#tally = addTally(this.#tally, tallyLayer(layer));
    if (this.#tally.bytes >= this.#bytesMax) await this.#write();
  }

  async end(): Promise<readonly SegmentReference[]> {
    if (this.#tally.bytes > 0) await this.#write();
    return this.#made;
  }

  async #write(): Promise<void> {
    const layer = this.#layer;
    this.#layer = { subscriptions: [], operations: [] };
    this.#tally = EMPTY_TALLY;
    await this.#writeInHalves(layer);
  }

  async #writeInHalves(layer: Layer): Promise<void> {
    const content = await toContent(layer);
    if (content.compressed.length > COMPRESSED_BYTES_MAX) {
      for (const half of halvesOf(layer)) await this.#writeInHalves(half);
      return;
    }
    const request = { source: this.#source, number: this.#number, layer };
    this.#made.push(await write(this.#client, request, content));
    this.#number += 1;
  }
}

function halvesOf({ subscriptions, operations }: Layer): readonly Layer[] {
  const [some, others] = [subscriptions.length >> 1, operations.length >> 1];
  return [
    { subscriptions: subscriptions.slice(0, some), operations: operations.slice(0, others) },
    { subscriptions: subscriptions.slice(some), operations: operations.slice(others) },
  ];
}

async function write(
  client: SourceClient,
  { source, number, layer }: SegmentRequest,
  content: SegmentContent,
): Promise<SegmentReference> {
  const place = await retrying(CALL_MS_MAX, () => client.segments.write(source, number, content));
  const { bytes: _, ...counts } = tallyLayer(layer);
  const versions = [...itemsOf(layer)].map(({ version }) => version);
  return {
    ...place,
    ...counts,
    minVersion: versions.reduce((least, version) => Math.min(least, version), Infinity),
    maxVersion: versions.reduce((most, version) => Math.max(most, version), 0),
    bytes: content.bytes,
  };
}

async function beating<T>(work: () => Promise<T>): Promise<T> {
  const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

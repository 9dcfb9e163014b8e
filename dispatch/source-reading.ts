// What a source answers to who asks for changes, in all its pages, and the segments that it names.

import { setImmediate as turn } from 'node:timers/promises';

import type { Subscription } from '../events/subscription.ts';
import type { Changes, ChangesRequest, SegmentReference } from '../workflows/messages.ts';
import { retrying } from './failures.ts';
import type { SegmentLayers } from './segment-client.ts';
import { CALL_MS_MAX, type SourceClient } from './source-client.ts';
import { SubscriptionCopy, type Versions } from './subscription-copy.ts';

/** As many changes are applied at once, without a turn of others between them. */
const AT_ONCE_MAX = 100;

/** How long one slice of a large change keeps a process busy, in milliseconds. */
const SLICE_MS_MAX = 4;

/** How many changes are applied before the time is looked at. */
const CHUNK = 20;

/** How many segments are read at once, and wait to be applied. */
const SEGMENTS_AT_ONCE = 4;

/** How often pages are asked for again because something moved between them. */
const ASKED_MAX = 5;

/** Asks a source, and reads its segments. */
export type SourceReader = Pick<SourceClient, 'describe' | 'changes'> & {
  readonly segments: Pick<SourceClient['segments'], 'read'>;
};

/** All pages of an answer, of one layout. */
export interface Answer {
  readonly first: Changes;
  readonly more: readonly Changes[];
}

interface Asked extends ChangesRequest {
  /** How long the first page may take, in milliseconds. */
  readonly forMs?: number;
}

/** One attempt; fails if the source does not tell in time. */
export async function askForChanges(
  client: SourceReader,
  source: string,
  { forMs, ...asked }: Asked,
): Promise<Answer> {
  for (let times = 0; times < ASKED_MAX; times += 1) {
    const first = await client.changes(source, asked, times === 0 ? forMs : undefined);
    const more: Changes[] = [];
    let last = first;
    while (last.next !== undefined && last.layout === first.layout) {
      last = await client.changes(source, { ...asked, after: last.next });
      more.push(last);
    }
    // What has moved to a segment since would be in neither.
    if (last.layout === first.layout) return { first, more };
  }
  throw new Error(`the subscriptions of ${source} move too fast`);
}

/** How long it may take until the source tells, for those that have time. */
const SLOW_QUERY_MS_MAX = 10_000;

/** All that a source holds, as of a version. It may have changed since. */
export async function readSubscriptions(
  client: SourceReader,
  source: string,
): Promise<{ readonly version: number; readonly subscriptions: Iterable<Subscription> }> {
  const asked = { firstRunId: '', since: 0, forMs: SLOW_QUERY_MS_MAX };
  const answer = await askForChanges(client, source, asked);
  const { first } = answer;
  if (first.recovering) throw new Error(`the subscriptions of ${source} are unknown`);
  const copy = new SubscriptionCopy();
  await applySlowly(client, copy, { source, answer, versions: versionsOf(answer, 0) });
  return { version: first.version, subscriptions: copy.subscriptions };
}

/** Later pages are of later moments: what they have of later versions is asked for again. */
export function versionsOf({ first }: Answer, version: number): Versions {
  return { after: first.snapshot ? 0 : version, upTo: first.version };
}

/** Whether it takes so long to apply that others have to have turns between. */
export function isLarge({ first, more }: Answer): boolean {
  const { added, removed, operations = [], segments = [] } = first;
  const changes = added.length + removed.length + operations.length;
  return more.length > 0 || segments.length > 0 || changes > AT_ONCE_MAX;
}

export interface Slowly {
  readonly source: string;
  readonly answer: Answer;
  readonly versions: Versions;
  /** Asked between slices: the rest is left out if it says no. */
  readonly isWanted?: () => boolean;
}

/** Applies an answer and its segments to a copy, in slices of a few milliseconds. */
export async function applySlowly(
  client: SourceReader,
  copy: SubscriptionCopy,
  { source, answer, versions, isWanted = () => true }: Slowly,
): Promise<void> {
  const { first, more } = answer;
  let sliceEnd = performance.now() + SLICE_MS_MAX;
  const nextTurn = async (): Promise<void> => {
    if (performance.now() < sliceEnd) return;
    await turn();
    sliceEnd = performance.now() + SLICE_MS_MAX;
  };
  for await (const layers of segmentsOf(client, source, first.segments ?? [])) {
    for (const layer of layers) {
      if (!isWanted()) return;
      copy.applyLayer(layer, versions);
      await nextTurn();
    }
  }
  for (const page of [first, ...more]) {
    for (const part of partsOf(page)) {
      if (!isWanted()) return;
      copy.applyChanges(part, versions);
      await nextTurn();
    }
  }
}

/** In their order; the next ones are read while one is applied. */
async function* segmentsOf(
  client: SourceReader,
  source: string,
  segments: readonly SegmentReference[],
): AsyncIterable<SegmentLayers> {
  const read = (segment: SegmentReference): Promise<SegmentLayers> => {
    const reading = retrying(CALL_MS_MAX, () => client.segments.read(source, segment));
    // Whoever waits for it is told; nobody may come to wait for it.
    reading.catch(() => {});
    return reading;
  };
  const readings = segments.slice(0, SEGMENTS_AT_ONCE).map(read);
  for (let index = 0; index < segments.length; index += 1) {
    const layers = await readings.shift();
    const next = segments[index + SEGMENTS_AT_ONCE];
    if (next) readings.push(read(next));
    if (layers) yield layers;
  }
}

type Part = Pick<Changes, 'removed' | 'added' | 'operations'>;

/** In the order in which they are applied. */
function* partsOf({ removed, added, operations = [] }: Changes): Iterable<Part> {
  const none = { removed: [], added: [] };
  for (const some of chunksOf(removed)) yield { ...none, removed: some };
  for (const some of chunksOf(added)) yield { ...none, added: some };
  for (const some of chunksOf(operations)) yield { ...none, operations: some };
}

function* chunksOf<T>(all: readonly T[]): Iterable<readonly T[]> {
  for (let start = 0; start < all.length; start += CHUNK) yield all.slice(start, start + CHUNK);
}

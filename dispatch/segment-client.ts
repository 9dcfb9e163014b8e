// Segments: immutable parts of the subscriptions of a source, each the input of a workflow of its
// own. One runs for as long as its source needs it, so that the server keeps it; who reads it
// needs no worker.

import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';

import type { Layer, Operations } from '../events/operation.ts';
import type { Subscription } from '../events/subscription.ts';
import {
  SEGMENT_WORKFLOW_TYPE,
  segmentWorkflowId,
  SOURCE_TASK_QUEUE,
  type SegmentReference,
} from '../workflows/messages.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** How much of the content of a segment tells it from others of its number, in characters. */
const HASH_LENGTH = 16;

/** How many lines of a segment are read at once. */
const LINES_MAX = 20;

const NEWLINE = 10;

/** One attempt may take long: a segment has up to 2 MiB. */
const ATTEMPT_MS_MAX = 5_000;

/** What is written into a segment. */
export interface SegmentContent {
  readonly bytes: number;
  readonly compressed: Uint8Array;
  readonly hash: string;
}

/** A line for each subscription and for the operations on one, so that it can be read in parts. */
export async function toContent({ subscriptions, operations }: Layer): Promise<SegmentContent> {
  const lines = [...subscriptions, ...operations].map((line) => JSON.stringify(line));
  const content = Buffer.from(lines.join('\n'));
  const hash = createHash('sha256').update(content).digest('hex').slice(0, HASH_LENGTH);
  return { bytes: content.length, compressed: await compress(content), hash };
}

export class SegmentClient {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Durable once it returns. Again with the same number and content, it is the same segment: its
   * name has a hash of what is in it.
   */
  async write(
    source: string,
    number: number,
    { compressed, hash }: SegmentContent,
  ): Promise<Pick<SegmentReference, 'name' | 'runId'>> {
    const name = `${number}-${hash}`;
    const handle = await this.#attempt(() =>
      this.#client.workflow.start(SEGMENT_WORKFLOW_TYPE, {
        workflowId: segmentWorkflowId(source, { name }),
        taskQueue: SOURCE_TASK_QUEUE,
        args: [new Uint8Array(compressed)],
        staticSummary: `a part of the subscriptions of the source ${source}`,
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    );
    return { name, runId: handle.firstExecutionRunId };
  }

  /** What is in a segment, without its source's later changes. One attempt. */
  async read(source: string, segment: SegmentReference): Promise<SegmentLayers> {
    const handle = this.#client.workflow.getHandle(
      segmentWorkflowId(source, segment),
      segment.runId,
    );
    const { events } = await this.#attempt(() => handle.fetchHistory());
    const payloads = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads;
    const { loadedDataConverter } = this.#client.options;
    const [compressed] = await decodeArrayFromPayloads(loadedDataConverter, payloads);
    return new SegmentLayers(await decompress(compressed as Uint8Array));
  }

  /** Its history stays for as long as the namespace keeps those of workflows that have ended. */
  async drop(source: string, segment: SegmentReference): Promise<void> {
    const workflowId = segmentWorkflowId(source, segment);
    const handle = this.#client.workflow.getHandle(workflowId, segment.runId);
    try {
      await this.#attempt(() => handle.terminate('merged into other segments'));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  #attempt<T>(call: () => Promise<T>): Promise<T> {
    return this.#client.connection.withDeadline(Date.now() + ATTEMPT_MS_MAX, call);
  }
}

/** A segment in parts: as a whole it would keep a process busy for too long. */
export class SegmentLayers implements Iterable<Layer> {
  readonly #content: Buffer;

  constructor(content: Buffer) {
    this.#content = content;
  }

  *[Symbol.iterator](): Iterator<Layer> {
    for (let start = 0; start < this.#content.length;) {
      const end = this.#endOfLines(start);
      const lines = this.#content.toString('utf8', start, end).split('\n');
      yield toLayer(lines);
      start = end + 1;
    }
  }

  #endOfLines(start: number): number {
    let end = start - 1;
    for (let line = 0; line < LINES_MAX; line += 1) {
      end = this.#content.indexOf(NEWLINE, end + 1);
      if (end === -1) return this.#content.length;
    }
    return end;
  }
}

function toLayer(lines: readonly string[]): Layer {
  const subscriptions: Subscription[] = [];
  const operations: Operations[] = [];
  for (const line of lines) {
    const read = JSON.parse(line) as Subscription | Operations;
    if ('id' in read) subscriptions.push(read);
    else operations.push(read);
  }
  return { subscriptions, operations };
}

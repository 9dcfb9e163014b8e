import type { Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import proto from '@temporalio/proto';

import { sourceWorkflowId } from '../workflows/messages.ts';

type Payloads = Parameters<typeof decodeArrayFromPayloads>[1];

/** Something that changed a source, as its history has it. */
export type SourceChange =
  | { readonly kind: 'started'; readonly input: unknown; readonly firstRunId: string }
  | {
      readonly kind: 'signal';
      readonly name: string;
      readonly argument: unknown;
      readonly at: number;
    }
  | {
      readonly kind: 'scheduled';
      readonly id: string;
      readonly type: string;
      readonly input: unknown;
    }
  | {
      readonly kind: 'completed';
      readonly id: string;
      readonly result: unknown;
      readonly at: number;
    };

/** The runs of source workflows that are over, and what is in their histories. */
export class SourceRuns {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * The run of the chain before: the last one that had ended, for good, when this one began. As
   * visibility is late, the run that it shows last may have continued as new since; its history
   * names the next.
   */
  async before(source: string, runId: string): Promise<string | undefined> {
    const workflowId = sourceWorkflowId(source);
    const { startTime } = await this.#client.workflow.getHandle(workflowId, runId).describe();
    let last: { readonly runId: string; readonly startTime: Date } | undefined;
    for await (const run of this.#client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
      if (run.runId === runId || run.startTime > startTime) continue;
      if (last === undefined || run.startTime > last.startTime) last = run;
    }
    return last && this.lastOf(source, last.runId);
  }

  /** The last run of the chain that this run belongs to. */
  async lastOf(source: string, runId: string): Promise<string> {
    const workflowId = sourceWorkflowId(source);
    for (let current = runId; ;) {
      const handle = this.#client.workflow.getHandle(workflowId, current);
      const { events } = await handle.fetchHistory();
      const continued = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
      if (!continued?.newExecutionRunId) return current;
      current = continued.newExecutionRunId;
    }
  }

  /** What has changed the source in this run, oldest first. */
  async changes(source: string, runId: string): Promise<SourceChange[]> {
    const handle = this.#client.workflow.getHandle(sourceWorkflowId(source), runId);
    const { events } = await handle.fetchHistory();
    const changes: SourceChange[] = [];
    for (const event of events ?? []) {
      const change = await this.#toChange(event);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  async #toChange(
    event: proto.temporal.api.history.v1.IHistoryEvent,
  ): Promise<SourceChange | undefined> {
    const at = Number(event.eventTime?.seconds ?? 0) * 1_000;
    const started = event.workflowExecutionStartedEventAttributes;
    if (started) {
      const input = await this.#first(started.input?.payloads);
      return { kind: 'started', input, firstRunId: started.firstExecutionRunId ?? '' };
    }
    const signaled = event.workflowExecutionSignaledEventAttributes;
    if (signaled) {
      const argument = await this.#first(signaled.input?.payloads);
      return { kind: 'signal', name: signaled.signalName ?? '', argument, at };
    }
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) {
      const input = await this.#first(scheduled.input?.payloads);
      const type = scheduled.activityType?.name ?? '';
      return { kind: 'scheduled', id: String(event.eventId), type, input };
    }
    const completed = event.activityTaskCompletedEventAttributes;
    if (!completed) return undefined;
    const result = await this.#first(completed.result?.payloads);
    return { kind: 'completed', id: String(completed.scheduledEventId), result, at };
  }

  async #first(payloads: Payloads): Promise<unknown> {
    const { loadedDataConverter } = this.#client.options;
    return (await decodeArrayFromPayloads(loadedDataConverter, payloads))[0];
  }
}

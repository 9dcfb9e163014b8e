import type { Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import proto from '@temporalio/proto';

import { sourceWorkflowId } from '../workflows/messages.ts';
import { unlessGone } from './failures.ts';

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;
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

  /** The last run of the chain that this run belongs to, of those that were not deleted. */
  async lastOf(source: string, runId: string): Promise<string> {
    let last = runId;
    for (let current = runId; ;) {
      const events = await this.#historyOf(source, current);
      if (events === undefined) return last;
      last = current;
      const continued = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
      if (!continued?.newExecutionRunId) return last;
      current = continued.newExecutionRunId;
    }
  }

  /** What has changed the source in this run, oldest first. Nothing, if the run was deleted. */
  async changes(source: string, runId: string): Promise<SourceChange[]> {
    const changes: SourceChange[] = [];
    for (const event of (await this.#historyOf(source, runId)) ?? []) {
      const change = await this.#toChange(event);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  /** `undefined` if the run was deleted: by somebody, or because it ended so long ago. */
  async #historyOf(source: string, runId: string): Promise<readonly HistoryEvent[] | undefined> {
    const handle = this.#client.workflow.getHandle(sourceWorkflowId(source), runId);
    const history = await unlessGone(() => handle.fetchHistory());
    if (history !== undefined) return history.events ?? [];
    console.error(`what ${handle.workflowId} held is lost: its run ${runId} was deleted`);
    return undefined;
  }

  async #toChange(event: HistoryEvent): Promise<SourceChange | undefined> {
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

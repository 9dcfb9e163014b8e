// What a workflow answers to the request whose event it was given: asked for by an update, which
// waits in the workflow. The id of the update is made of the event's, so that a request that comes
// again gets the same answer, also while the first one still waits.

import { createHash } from 'node:crypto';

import { WorkflowUpdateFailedError, type Client } from '@temporalio/client';

import type { Event } from '../events/event.ts';
import {
  GONE_AHEAD,
  responseQuery,
  responseUpdate,
  type HttpResponse,
} from '../workflows/messages.ts';
import { sleep, toFailureKind } from './failures.ts';

/** How soon a workflow that could not be asked is asked again. */
const ASK_AGAIN_MS = 250;

/** How long the answer of a workflow that has ended may take: its history has to be replayed. */
const QUERY_MS_MAX = 5_000;

/** Who is to answer an event. */
export interface Respondent {
  readonly workflowId: string;
  /** How long the sender waits. */
  readonly withinMs: number;
}

/**
 * - `late`: not within the time; the workflow goes on
 * - `none`: the workflow has ended without an answer, by returning or by failing
 */
export type Answer =
  | { readonly kind: 'response'; readonly response: HttpResponse }
  | { readonly kind: 'late' | 'none' };

export class Responses {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Waits for the answer. The workflow was given the event, by whichever run it has. */
  async wait(
    event: Event,
    { workflowId, withinMs }: Respondent,
    gone: AbortSignal,
  ): Promise<Answer> {
    const { connection } = this.#client;
    const deadline = performance.now() + withinMs;
    while (performance.now() < deadline && !gone.aborted) {
      try {
        const forMs = deadline - performance.now();
        const ask = () => this.#ask(workflowId, event.id, forMs);
        return { kind: 'response', response: await connection.withAbortSignal(gone, ask) };
      } catch (error) {
        if (hasEnded(error)) {
          const answer = await this.#askEnded(workflowId, event.id);
          if (answer !== 'continues') return answer;
        }
      }
      await sleep(Math.max(0, Math.min(ASK_AGAIN_MS, deadline - performance.now())));
    }
    return { kind: 'late' };
  }

  #ask(workflowId: string, eventId: string, forMs: number): Promise<HttpResponse> {
    return this.#client.connection.withDeadline(Date.now() + forMs, () =>
      this.#client.workflow
        .getHandle(workflowId)
        .executeUpdate(responseUpdate, { args: [eventId], updateId: toUpdateId(eventId) }),
    );
  }

  /** What a run that has ended had answered, unless there is another run that goes on. */
  async #askEnded(workflowId: string, eventId: string): Promise<Answer | 'continues'> {
    const handle = this.#client.workflow.getHandle(workflowId);
    try {
      return await this.#client.connection.withDeadline(Date.now() + QUERY_MS_MAX, async () => {
        const { status } = await handle.describe();
        if (status.name === 'RUNNING') return 'continues';
        const response = await handle.query(responseQuery, eventId);
        return response === null ? { kind: 'none' } : { kind: 'response', response };
      });
    } catch (error) {
      // One that was terminated takes up nothing more.
      const isSilent = error instanceof Error && error.message.includes(GONE_AHEAD);
      return isSilent || toFailureKind(error) === 'gone' ? { kind: 'none' } : 'continues';
    }
  }
}

/** The run can answer no more: it has completed, failed, or continued as new. */
function hasEnded(error: unknown): boolean {
  return error instanceof WorkflowUpdateFailedError || toFailureKind(error) === 'gone';
}

function toUpdateId(eventId: string): string {
  return `respond/${createHash('sha256').update(eventId).digest('hex')}`;
}

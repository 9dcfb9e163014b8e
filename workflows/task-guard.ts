// Keeps a run from going on from where it has gone ahead of its workflow tasks.
//
// A worker that is asked a query about a run that it does not have gets the whole history, with
// what has come since the last workflow task. The SDK executes the workflow up to there, to answer,
// and goes on from there in the next task. If more has come by then, this one task executes in two
// steps what each replay of it executes in one. Commands can differ, and a run whose history has
// other commands than its code gives gets no further, ever.
//
// So the query fails instead, upon which the SDK forgets the run. Whoever asked can ask again. No
// other activation may fail for it: a failed task would be there for all to see, and for nothing.
//
// One case is not seen: what has come since the last task that was completed has a task in it that
// was not (it timed out, or the server closed it), and the query was on its way before that task.
// Then the start of that task looks like the start of one that goes on.

import { workflowInfo, type ActivateInput } from '@temporalio/workflow';

import { GONE_AHEAD } from './messages.ts';

/** The SDK's own name for a query that came by itself, not with a workflow task. */
const LONE_QUERY = 'legacy_query';

interface Place {
  readonly historyLength: number;
  readonly historySize: number;
  /** When the workflow task started. */
  readonly now: number;
}

/** An interceptor of internals. It must be the first: before anything is done for an activation. */
export class TaskGuard {
  /** Where the last activation left the run. */
  #last: Place = { historyLength: 0, historySize: 0, now: 0 };
  #isAhead = false;

  /** @throws Error if it is a query, and the run is ahead of its tasks */
  activate(input: ActivateInput, next: (input: ActivateInput) => void): void {
    this.#check(input);
    next(input);
  }

  #check({ activation, batchIndex }: ActivateInput): void {
    if (batchIndex > 0) return;
    const queries = (activation.jobs ?? []).flatMap(({ queryWorkflow }) => queryWorkflow ?? []);
    if (queries.length > 0) {
      const isAlone = queries.some(({ queryId }) => queryId === LONE_QUERY);
      if (isAlone && this.#isAhead) throw new Error(GONE_AHEAD);
      return;
    }
    const { historyLength, historySize, unsafe } = workflowInfo();
    const place = { historyLength, historySize, now: Date.now() };
    // In one task, what follows on local activities and cancellations takes nothing of the history.
    if (historyLength > this.#last.historyLength) {
      this.#isAhead = !unsafe.isReplaying && isOfSameTask(this.#last, place);
    }
    this.#last = place;
  }
}

/** A workflow task has a start, which no other has. */
function isOfSameTask(one: Place, other: Place): boolean {
  return one.historyLength > 0 && one.historySize === other.historySize && one.now === other.now;
}

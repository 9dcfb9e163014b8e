// Keeps a run from going on after it has gone ahead of its workflow tasks.
//
// A worker that is asked a query about a run that it does not have gets the whole history, with
// what has come since the last workflow task. The SDK executes the workflow up to there, to answer,
// and goes on from there in the next task. If more has come by then, this one task executes in two
// steps what each replay of it executes in one. Commands can differ, and a run whose history has
// other commands than its code gives gets no further, ever.
//
// So the question fails instead, upon which the SDK forgets the run. Whoever asked can ask again.

import { workflowInfo, type ActivateInput } from '@temporalio/workflow';

import { GONE_AHEAD } from './messages.ts';

type Job = NonNullable<ActivateInput['activation']['jobs']>[number];

export class TaskGuard {
  /** As of the last workflow task: each has another. */
  #historySize = 0;
  #isAhead = false;

  /**
   * To be called with each activation, before anything is done for it.
   *
   * @throws Error if the run is ahead of its tasks
   */
  check({ activation, batchIndex }: ActivateInput): void {
    if (batchIndex > 0) return;
    if (this.#isAhead) throw new Error(GONE_AHEAD);
    const jobs = activation.jobs ?? [];
    if (jobs.some(({ queryWorkflow }) => queryWorkflow)) return;
    const { historySize, unsafe } = workflowInfo();
    // Servers before 1.20 do not tell it.
    const isOfNoTask = historySize > 0 && historySize === this.#historySize;
    // A replay ends like this, too, if the history goes on after its last task; nothing follows.
    this.#isAhead = isOfNoTask && !unsafe.isReplaying && jobs.some(isFromHistory);
    this.#historySize = historySize;
  }
}

/** What the end of a local activity or a cancellation brings comes in the same task as its cause. */
function isFromHistory({ signalWorkflow, fireTimer, resolveActivity }: Job): boolean {
  if (signalWorkflow || fireTimer) return true;
  return Boolean(resolveActivity && !resolveActivity.isLocal && !resolveActivity.result?.cancelled);
}

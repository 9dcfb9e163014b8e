// Keeps a run from going on from where it has gone ahead of its workflow tasks.
//
// A worker that is asked a query about a run that it does not have gets the whole history, with
// what has come since the last workflow task. The SDK executes the workflow up to there, to answer,
// and goes on from there in the next task. If more has come by then, this one task executes in two
// steps what each replay of it executes in one. Commands can differ, and a run whose history has
// other commands than its code gives gets no further, ever.
//
// So the query fails instead, upon which the SDK forgets the run. Whoever asked can ask again.
//
// It is not always to be seen by then: what has come since the last task that was completed can
// have a task in it that was not (it timed out, or the server closed it, or another worker still
// has it), and it looks as if the run had got that one. But a task that was completed leaves events
// that the next one has to have come after: its completion, and what its commands made. If they are
// not there, the next task fails, and is executed again as each replay executes it.
//
// Not every such run is seen. Of a next task that brings nothing to do no workflow hears, and as
// many events of other kinds as are missing hide that they are.

import {
  workflowInfo,
  type ActivateInput,
  type ConcludeActivationInput,
  type ConcludeActivationOutput,
} from '@temporalio/workflow';

import { GONE_AHEAD, HAD_GONE_AHEAD } from './messages.ts';

/** The SDK's own name for a query that came by itself, not with a workflow task. */
const LONE_QUERY = 'legacy_query';

/** Between two tasks: the one was completed, the other was scheduled and has started. */
const EVENTS_BETWEEN_TASKS = 3;

type Activation = ActivateInput['activation'];
type Job = NonNullable<Activation['jobs']>[number];
type Command = ConcludeActivationInput['commands'][number];

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
  /** The last one was no replay. It may have been a task, or what was executed for a query. */
  #isLive = false;
  /** It was, and a query came next. */
  #isInDoubt = false;
  /** How many events its commands make at least. */
  #events = 0;

  /** @throws Error if the run is ahead of its tasks, and would go on */
  activate(input: ActivateInput, next: (input: ActivateInput) => void): void {
    if (input.batchIndex === 0) this.#check(input.activation);
    next(input);
  }

  concludeActivation(
    input: ConcludeActivationInput,
    next: (input: ConcludeActivationInput) => ConcludeActivationOutput,
  ): ConcludeActivationOutput {
    const output = next(input);
    this.#events += eventsOf(output.commands);
    return output;
  }

  #check({ jobs }: Activation): void {
    const queries = (jobs ?? []).flatMap(({ queryWorkflow }) => queryWorkflow ?? []);
    if (queries.length > 0) {
      if (!queries.some(({ queryId }) => queryId === LONE_QUERY)) return;
      if (this.#isAhead) throw new Error(GONE_AHEAD);
      this.#isInDoubt = this.#isLive;
      return;
    }
    const { historyLength, historySize, unsafe } = workflowInfo();
    const place = { historyLength, historySize, now: Date.now() };
    // In one task, what follows on local activities and cancellations takes nothing of the history.
    if (historyLength > this.#last.historyLength) this.#goOn(place, jobs ?? [], unsafe.isReplaying);
    this.#last = place;
  }

  #goOn(place: Place, jobs: readonly Job[], isReplaying: boolean): void {
    const come = place.historyLength - this.#last.historyLength;
    const made = EVENTS_BETWEEN_TASKS + Math.max(0, this.#events) + jobs.filter(isOfEvent).length;
    if (this.#isInDoubt && come < made) throw new Error(HAD_GONE_AHEAD);
    this.#isAhead = !isReplaying && isOfSameTask(this.#last, place);
    // Of a task for an update that was rejected the history keeps nothing. None comes for a query.
    this.#isLive = !isReplaying && !jobs.some(({ doUpdate }) => doUpdate);
    this.#isInDoubt = false;
    this.#events = 0;
  }
}

/** A workflow task has a start, which no other has. */
function isOfSameTask(one: Place, other: Place): boolean {
  return one.historyLength > 0 && one.historySize === other.historySize && one.now === other.now;
}

/** There is an event for each of these; other jobs may come without one. */
function isOfEvent(job: Job): boolean {
  const { signalWorkflow, fireTimer, cancelWorkflow, resolveActivity } = job;
  if (resolveActivity) return !resolveActivity.isLocal;
  return Boolean(
    signalWorkflow ?? fireTimer ?? cancelWorkflow ?? job.resolveChildWorkflowExecution,
  );
}

/** How many events commands make at least. What is cancelled in the task that starts it makes none. */
function eventsOf(commands: readonly Command[]): number {
  let events = 0;
  for (const command of commands) {
    const makes =
      command.startTimer ??
      command.scheduleActivity ??
      command.startChildWorkflowExecution ??
      command.upsertWorkflowSearchAttributes ??
      command.modifyWorkflowProperties;
    const cancels =
      command.cancelTimer ?? command.requestCancelActivity ?? command.cancelChildWorkflowExecution;
    if (makes) events += 1;
    if (cancels) events -= 1;
  }
  return events;
}

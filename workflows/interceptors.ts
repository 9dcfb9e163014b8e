// Owns the inbox of a run. It must be the first interceptor module of the worker, so
// that no other interceptor stands between an event's signal and the inbox.
//
// - Event signals are taken in synchronously and go no further: an interceptor that
//   awaits before them would make continue-as-new lose events.
// - What crosses continue-as-new travels in a header. It is written when the activation
//   is concluded, into the command itself, so that it holds every arrival; and it is read
//   before the first job of the next run, so that what is carried stands before what
//   arrives.
// - Nothing here is `async` before the user's code has ended: these are part of workflow
//   code, and an extra turn of the event loop would change the order of commands.

import type { Payload } from '@temporalio/common';
import {
  ContinueAsNew,
  defaultPayloadConverter,
  getCurrentDetails,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
  type WorkflowInterceptors,
  type WorkflowInternalsInterceptor,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';

import { setCurrentInbox, setCurrentResponses } from './current-inbox.ts';
import { InboxTooLargeError } from './errors.ts';
import { inboxDetails } from './details.ts';
import { execute, failInHandler } from './execute.ts';
import { Inbox } from './inbox.ts';
import type { InboxState } from './inbox-state.ts';
import { eventSignal, subscriptionsQuery } from './messages.ts';
import { registerAgain, release, suspend } from './registration.ts';
import { onReset } from './reset.ts';
import { Responses } from './respond.ts';
import { isRunFull } from './run-limits.ts';
import { isEventBatch, isTriggerBatch } from './signal-shapes.ts';
import { TaskGuard } from './task-guard.ts';
import { splitJobs } from './local-results.ts';
import { Task } from './task.ts';

/** The header in which a run leaves its inbox to the next. */
const INBOX_HEADER = 'nextevent-inbox';

/** What the Temporal UI asks for, to show the current details. */
const METADATA_QUERY = '__temporal_workflow_metadata';

/** How much a run can leave to the next, in bytes of JSON: unread events above all. */
export const CARRIED_BYTES_MAX = 1.5 * 1024 * 1024;

export function interceptors(): WorkflowInterceptors {
  const task = new Task();
  const inbox = new Inbox(task);
  setCurrentInbox(inbox);
  // The handler only makes the SDK hand these signals to interceptors before main runs.
  setHandler(eventSignal, () => {}, { description: 'Events for the subscriptions of this run.' });
  const responses = new Responses();
  setCurrentResponses(responses);
  responses.listen();
  setHandler(subscriptionsQuery, () => inbox.describe(), {
    description: 'What this workflow subscribes to, and how much of it was received and read.',
  });
  // One for all: the SDK notes the stack of each promise, which costs more than to take an event.
  const taken = Promise.resolve();
  return {
    inbound: [
      {
        handleSignal(input, next) {
          inbox.signals += 1;
          suspendIfFull(inbox);
          if (input.signalName !== eventSignal.name) {
            return next(input).catch((error: unknown) => failInHandler(inbox, error));
          }
          receive(inbox, input.args[0]);
          return taken;
        },
        execute(input, next) {
          release(inbox);
          if (inbox.suspended || isRetry()) registerAgain(inbox);
          return execute({ inbox, responses }, input, next);
        },
      },
    ],
    outbound: [closing(inbox, responses)],
    internals: [new TaskGuard(), carryOver(inbox, { responses, task })],
  };
}

/** From the moment that continue-as-new is asked for, nobody is given anything. */
function closing(inbox: Inbox, responses: Responses): WorkflowOutboundCallsInterceptor {
  return {
    continueAsNew(input, next) {
      if (isRunFull(inbox, 1)) inbox.suspend();
      const bytes = utf8ToBytes(JSON.stringify(stateOf(inbox, responses))).length;
      if (bytes > CARRIED_BYTES_MAX) {
        throw new InboxTooLargeError(
          `unread events take ${bytes} bytes, at most ${CARRIED_BYTES_MAX} can be carried`,
        );
      }
      inbox.close();
      // It begins by an error; any other one says that it can not, and the code may go on.
      const failed = (error: unknown): void => {
        if (!(error instanceof ContinueAsNew)) inbox.reopen();
      };
      try {
        const asked = next(input);
        asked.catch(failed);
        return asked;
      } catch (error) {
        failed(error);
        throw error;
      }
    },
  };
}

/** What crosses continue-as-new. */
function stateOf(inbox: Inbox, responses: Responses): InboxState {
  const answered = responses.toState();
  return { ...inbox.toState(), ...(answered && { responses: answered }) };
}

function carryOver(
  inbox: Inbox,
  { responses, task }: { readonly responses: Responses; readonly task: Task },
): WorkflowInternalsInterceptor {
  let isReset = false;
  let heldBack: ReadonlySet<unknown> = new Set();
  onReset(() => {
    isReset = true;
  });
  return {
    activate(input, next) {
      const { jobs, later } = splitJobs(input.activation.jobs ?? [], inbox.turns.settle);
      heldBack = new Set(later.map(({ seq }) => seq));
      task.begin(jobs);
      const carried = jobs[0]?.initializeWorkflow?.headers?.[INBOX_HEADER];
      if (carried) {
        const state = defaultPayloadConverter.fromPayload<InboxState>(carried);
        inbox.restore(state);
        if (state.responses) responses.restore(state.responses);
      }
      const given = later.length === 0 ? input.activation : { ...input.activation, jobs };
      const isLookedAt = jobs.some((job) => job.queryWorkflow?.queryType === METADATA_QUERY);
      if (isLookedAt) withDetails(inbox, () => next({ ...input, activation: given }));
      else next({ ...input, activation: given });
      void task.oneByOne(later.map((result) => () => getActivator().resolveActivity(result)));
      if (!isReset) return;
      isReset = false;
      registerAgain(inbox);
    },
    concludeActivation(input, next) {
      for (const { continueAsNewWorkflowExecution: command } of input.commands) {
        if (!command) continue;
        const header: Payload = defaultPayloadConverter.toPayload(stateOf(inbox, responses));
        command.headers = { ...command.headers, [INBOX_HEADER]: header };
      }
      // What has ended is not to be cancelled: code can ask for that before it has the result.
      const commands = input.commands.filter(
        ({ requestCancelLocalActivity: command }) => !command || !heldBack.has(command.seq),
      );
      return next({ ...input, commands });
    },
  };
}

/** What the UI shows is made only when somebody looks, and the workflow's own words come first. */
function withDetails(inbox: Inbox, look: () => void): void {
  const own = getCurrentDetails();
  setCurrentDetails([own, inboxDetails(inbox)].filter((text) => text !== '').join('\n\n'));
  look();
  setCurrentDetails(own);
}

/** Before the server refuses signals, or ends the workflow with everything that is unread. */
function suspendIfFull(inbox: Inbox): void {
  if (inbox.suspended || inbox.held.length === 0 || !isRunFull(inbox, 1)) return;
  if (!patched('suspend')) return;
  inbox.suspend();
  suspend(inbox);
}

function receive(inbox: Inbox, batch: unknown): void {
  if (isTriggerBatch(batch)) inbox.feed(batch.events);
  // A workflow id that is used again does not get what its predecessor subscribed to.
  else if (isEventBatch(batch) && batch.to === workflowInfo().firstExecutionRunId) {
    inbox.receive(batch);
  }
}

/** What it was handed, the attempt before has ended. */
function isRetry(): boolean {
  return workflowInfo().attempt > 1;
}

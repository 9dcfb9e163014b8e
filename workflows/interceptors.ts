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

import { TemporalFailure, type Payload } from '@temporalio/common';
import {
  ContinueAsNew,
  continueAsNew,
  defaultPayloadConverter,
  getCurrentDetails,
  isCancellation,
  log,
  patched,
  setCurrentDetails,
  setHandler,
  workflowInfo,
  type WorkflowInterceptors,
  type WorkflowInternalsInterceptor,
  type WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';

import { utf8ToBytes } from '@noble/hashes/utils.js';

import { isEvent, type Event } from '../events/event.ts';
import { deriveArgument } from '../events/webhook-body.ts';
import { setCurrentInbox, setCurrentResponses } from './current-inbox.ts';
import { InboxTooLargeError } from './errors.ts';
import { inboxDetails } from './details.ts';
import { Inbox, TRIGGER_SUBSCRIPTION } from './inbox.ts';
import type { InboxState } from './inbox-state.ts';
import { eventSignal, subscriptionsQuery, type EventBatch, type TriggerBatch } from './messages.ts';
import { registerAgain, release, releaseAll, suspend } from './registration.ts';
import { onReset } from './reset.ts';
import { Responses } from './respond.ts';
import { isRunFull } from './run-limits.ts';
import { TaskGuard } from './task-guard.ts';

/** The header in which a run leaves its inbox to the next. */
const INBOX_HEADER = 'nextevent-inbox';

/** What the Temporal UI asks for, to show the current details. */
const METADATA_QUERY = '__temporal_workflow_metadata';

/** How much a run can leave to the next, in bytes of JSON: unread events above all. */
export const CARRIED_BYTES_MAX = 1.5 * 1024 * 1024;

/** How many unread events a line of the log names. */
const IDS_LOGGED_MAX = 20;

export function interceptors(): WorkflowInterceptors {
  const inbox = new Inbox();
  setCurrentInbox(inbox);
  // The handler only makes the SDK hand these signals to interceptors before main runs.
  setHandler(eventSignal, () => {}, { description: 'Events for the subscriptions of this run.' });
  const responses = new Responses();
  setCurrentResponses(responses);
  responses.listen();
  setHandler(subscriptionsQuery, () => inbox.describe(), {
    description: 'What this workflow subscribes to, and how much of it was received and read.',
  });
  return {
    inbound: [
      {
        handleSignal(input, next) {
          inbox.signals += 1;
          suspendIfFull(inbox);
          if (input.signalName !== eventSignal.name) return next(input);
          receive(inbox, input.args[0] as EventBatch | TriggerBatch);
          return Promise.resolve();
        },
        execute(input, next) {
          for (const argument of input.args) if (isEvent(argument)) inbox.startedBy(argument);
          responses.startedBy(input.args);
          release(inbox);
          if (inbox.suspended || isRetry()) registerAgain(inbox);
          const args = input.args.map(deriveArgument);
          return next({ ...input, args }).then(
            async (result) => {
              await releaseAll(inbox);
              const unread = takeTriggered(inbox);
              if (unread) await continueAsNew<(event: Event) => Promise<unknown>>(unread);
              return result;
            },
            async (error: unknown) => {
              if (endsWorkflow(error)) {
                await releaseAll(inbox);
                logUnread(inbox);
              }
              throw error;
            },
          );
        },
      },
    ],
    outbound: [closing(inbox, responses)],
    internals: [new TaskGuard(), carryOver(inbox, responses)],
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
      return next(input);
    },
  };
}

/** What crosses continue-as-new. */
function stateOf(inbox: Inbox, responses: Responses): InboxState {
  const answered = responses.toState();
  return { ...inbox.toState(), ...(answered && { responses: answered }) };
}

function carryOver(inbox: Inbox, responses: Responses): WorkflowInternalsInterceptor {
  let isReset = false;
  onReset(() => {
    isReset = true;
  });
  return {
    activate(input, next) {
      const jobs = input.activation.jobs ?? [];
      const carried = jobs[0]?.initializeWorkflow?.headers?.[INBOX_HEADER];
      if (carried) {
        const state = defaultPayloadConverter.fromPayload<InboxState>(carried);
        inbox.restore(state);
        if (state.responses) responses.restore(state.responses);
      }
      const isLookedAt = jobs.some((job) => job.queryWorkflow?.queryType === METADATA_QUERY);
      if (isLookedAt) withDetails(inbox, () => next(input));
      else next(input);
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
      return next(input);
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

function receive(inbox: Inbox, batch: EventBatch | TriggerBatch): void {
  if ('trigger' in batch) inbox.feed(batch.events);
  // A workflow id that is used again does not get what its predecessor subscribed to.
  else if (batch.to === workflowInfo().firstExecutionRunId) inbox.receive(batch);
}

/**
 * What the trigger brought and the code has not read when it returns. Had it come a moment
 * later, it would have started the workflow once more: so this is what happens, in the next
 * run, which also has the rest of it.
 */
function takeTriggered(inbox: Inbox): Event | undefined {
  const taken = inbox.take(new Set([TRIGGER_SUBSCRIPTION]));
  if (taken === undefined) return undefined;
  const { subscription: _, ...event } = taken;
  return event;
}

/** A failure stays one, so that somebody sees it: what was not read is in the history. */
function logUnread(inbox: Inbox): void {
  const ids: string[] = [];
  for (let event = takeTriggered(inbox); event; event = takeTriggered(inbox)) ids.push(event.id);
  if (ids.length === 0) return;
  const named = ids.slice(0, IDS_LOGGED_MAX).join(', ');
  log.error(`the workflow ends and has not read ${ids.length} events of its trigger: ${named}`);
}

/** What it was handed, the attempt before has ended. */
function isRetry(): boolean {
  return workflowInfo().attempt > 1;
}

/** Whether this ends the workflow. A plain error only repeats the workflow task. */
function endsWorkflow(error: unknown): boolean {
  if (error instanceof ContinueAsNew) return false;
  return error instanceof TemporalFailure || isCancellation(error);
}

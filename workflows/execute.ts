// Runs the workflow's code, and cares for what it leaves behind when it ends.

import { TemporalFailure } from '@temporalio/common';
import {
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  log,
  patched,
  type WorkflowExecuteInput,
} from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

import { isEvent, type Event } from '../events/event.ts';
import { deriveArgument } from '../events/webhook-body.ts';
import { InboxTooLargeError } from './errors.ts';
import { TRIGGER_SUBSCRIPTION, type Inbox } from './inbox.ts';
import { afterMicrotasks } from './microtasks.ts';
import { releaseAll } from './registration.ts';
import type { Responses } from './respond.ts';

/** How many unread events a line of the log names. */
const IDS_LOGGED_MAX = 20;

type Next = (input: WorkflowExecuteInput) => Promise<unknown>;

/** Nothing here is `async` before the user's code has ended. */
export function execute(
  run: { readonly inbox: Inbox; readonly responses: Responses },
  input: WorkflowExecuteInput,
  next: Next,
): Promise<unknown> {
  const { inbox, responses } = run;
  for (const argument of input.args) if (isEvent(argument)) inbox.startedBy(argument);
  responses.startedBy(input.args);
  const args = input.args.map(deriveArgument);
  return next({ ...input, args }).then(
    async (result) => {
      if (inbox.closed && (await goesOnElsewhere())) return result;
      await releaseAll(inbox);
      const unread = takeTriggered(inbox);
      if (unread === undefined) return result;
      responses.startedAgainBy(unread);
      try {
        return await continueAsNew<(event: Event) => Promise<unknown>>(unread);
      } catch (error) {
        if (!(error instanceof InboxTooLargeError)) throw error;
        // What is too large for the next run is for this one.
        inbox.reopen();
        return execute(run, { ...input, args: [unread] }, next);
      }
    },
    async (error: unknown) => {
      if (endsWorkflow(error) && !(inbox.closed && (await goesOnElsewhere()))) {
        await releaseAll(inbox);
        logUnread(inbox);
      }
      throw error;
    },
  );
}

/**
 * Whether a handler has continued as new before the code of the workflow ended: the next run has all then.
 * A few microtasks lie between its asking and that.
 */
async function goesOnElsewhere(): Promise<boolean> {
  await new Promise<void>((goOn) => afterMicrotasks(goOn));
  return getActivator().completed;
}

/** It ends the workflow at once: the sources hear of it from the next event that finds it gone. */
export function failInHandler(inbox: Inbox, error: unknown): never {
  if (endsWorkflow(error)) logUnread(inbox);
  throw error;
}

/**
 * What the trigger brought and the code has not read when it returns. Had it come a moment
 * later, it would have started the workflow once more: so this is what happens, in the next
 * run, which also has the rest of it.
 */
function takeTriggered(inbox: Inbox): Event | undefined {
  inbox.takeBack();
  const taken = inbox.takeUnread(new Set([TRIGGER_SUBSCRIPTION]));
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

/** Whether this ends the workflow. Any other error only repeats the workflow task. */
function endsWorkflow(error: unknown): boolean {
  if (error instanceof ContinueAsNew) return false;
  if (error instanceof TemporalFailure || isCancellation(error)) return true;
  return isConfiguredFailure(error) && patched('configured-failure');
}

interface ConfiguredFailures {
  isConfiguredFailureException?(error: unknown): boolean;
}

/** Of `failureExceptionTypes` and `workflowFailureErrorTypes`, which the SDK alone knows. */
function isConfiguredFailure(error: unknown): boolean {
  const activator = getActivator() as unknown as ConfiguredFailures;
  return activator.isConfiguredFailureException?.(error) ?? false;
}

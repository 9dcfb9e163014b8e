// Module state is private to a run: the worker evaluates modules anew for each.

import { inWorkflowContext } from '@temporalio/workflow';

import { NoInboxError } from './errors.ts';
import type { Inbox } from './inbox.ts';

let current: Inbox | undefined;

export function setCurrentInbox(inbox: Inbox): void {
  current = inbox;
}

/** The inbox of the run that asks. */
export function currentInbox(): Inbox {
  if (!inWorkflowContext()) {
    throw new NoInboxError('subscribe, nextEvent and unsubscribe work only in workflow code');
  }
  if (current === undefined) {
    throw new NoInboxError('this worker runs without the interceptors of nextevent');
  }
  return current;
}

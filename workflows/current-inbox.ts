// Module state is private to a run: the worker evaluates modules anew for each.

import { inWorkflowContext } from '@temporalio/workflow';

import { NoInboxError } from './errors.ts';
import type { Inbox } from './inbox.ts';
import type { Responses } from './respond.ts';

let current: Inbox | undefined;
let responses: Responses | undefined;

export function setCurrentInbox(inbox: Inbox): void {
  current = inbox;
}

export function setCurrentResponses(of: Responses): void {
  responses = of;
}

/** The inbox of the run that asks. */
export function currentInbox(): Inbox {
  return present(current);
}

/** What the run that asks has answered. */
export function currentResponses(): Responses {
  return present(responses);
}

function present<T>(held: T | undefined): T {
  if (!inWorkflowContext()) {
    throw new NoInboxError('subscribe, nextEvent and the like work only in workflow code');
  }
  if (held === undefined) {
    throw new NoInboxError('this worker runs without the interceptors of nextevent');
  }
  return held;
}

// Whether what a signal brings is what its name says. Whoever mistakes a workflow for another can send
// one, and a workflow that fails for it fails for ever: one of another shape changes nothing. That what
// it says is true is not checked: who has access to the namespace can do worse.

import type {
  AcceptRequest,
  EventBatch,
  RegisterRequest,
  SuspendRequest,
  TriggerBatch,
  UnregisterRequest,
} from './messages.ts';

export function isRegisterRequest(argument: unknown): argument is RegisterRequest {
  return isListAt(argument, 'registrations', (one) => isTextAt(one, 'id'));
}

export function isUnregisterRequest(argument: unknown): argument is UnregisterRequest {
  return isListAt(argument, 'ids', isText);
}

export function isAcceptRequest(argument: unknown): argument is AcceptRequest {
  return isListAt(argument, 'entries', (one) => isTextAt(one, 'eventId'));
}

export function isSuspendRequest(argument: unknown): argument is SuspendRequest {
  return isUnregisterRequest(argument) && 'undeliverable' in argument;
}

export function isTriggerBatch(argument: unknown): argument is TriggerBatch {
  return isTextAt(argument, 'trigger') && isListAt(argument, 'events', hasKey);
}

export function isEventBatch(argument: unknown): argument is EventBatch {
  const isMatched = (one: unknown): boolean =>
    isListAt(one, 'subscriptions', isText) && hasKey(valueAt(one, 'event'));
  return isTextAt(argument, 'to') && isListAt(argument, 'events', isMatched);
}

/** As much of an event as an inbox tells it by. What else it has is its reader's. */
function hasKey(value: unknown): boolean {
  return isTextAt(value, 'source') && isTextAt(value, 'id');
}

function isListAt(argument: unknown, key: string, isOne: (one: unknown) => boolean): boolean {
  const list = valueAt(argument, key);
  return Array.isArray(list) && list.every(isOne);
}

function isTextAt(argument: unknown, key: string): boolean {
  return isText(valueAt(argument, key));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function valueAt(argument: unknown, key: string): unknown {
  if (typeof argument !== 'object' || argument === null) return undefined;
  return (argument as Readonly<Record<string, unknown>>)[key];
}

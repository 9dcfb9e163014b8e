// What subscribe, nextEvent and cel throw. All of them are failures that Temporal
// knows: uncaught, they fail the workflow instead of repeating its task for ever.

import { ApplicationFailure } from '@temporalio/common';

/** A failure of this library; retrying does not cure it. The class name is the failure's type. */
class NextEventFailure extends ApplicationFailure {
  constructor(type: string, message: string, cause?: Error) {
    super(message, type, true, undefined, cause);
  }
}

/** The filter can not be used: it does not parse, or does not type-check. Mend the filter. */
export class FilterError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('FilterError', message, cause);
  }
}

/** No source and no trigger has this name. Mend the name or the configuration. */
export class UnknownSourceError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('UnknownSourceError', message, cause);
  }
}

/** The name is a source's and also a trigger's. Rename one of them. */
export class AmbiguousSourceError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('AmbiguousSourceError', message, cause);
  }
}

/** The source holds as many subscriptions as it can. Unsubscribe others, or use two sources. */
export class SourceFullError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('SourceFullError', message, cause);
  }
}

/**
 * The source has as many filters as it can that no index serves. Write the filter so that one does:
 * the message says how.
 */
export class UnindexedFilterQuotaError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('UnindexedFilterQuotaError', message, cause);
  }
}

/** An argument is malformed: a timeout, an id, a value given to `cel`. Mend the call. */
export class InvalidArgumentError extends NextEventFailure {
  constructor(message: string) {
    super('InvalidArgumentError', message);
  }
}

/** The id is not a subscription of this workflow, or it was unsubscribed. */
export class UnknownSubscriptionError extends NextEventFailure {
  constructor(message: string) {
    super('UnknownSubscriptionError', message);
  }
}

/** More is unread than the next run can be given. Read some of it, then continue as new. */
export class InboxTooLargeError extends NextEventFailure {
  constructor(message: string) {
    super('InboxTooLargeError', message);
  }
}

/**
 * The run has taken as many events as it can, and gets no more. Everything that came was read.
 * Continue as new: the next run gets events again, but none that were posted in between.
 */
export class SubscriptionOverflowError extends NextEventFailure {
  constructor(message: string) {
    super('SubscriptionOverflowError', message);
  }
}

/** The call was made where there is no workflow, or in a worker without the interceptors. */
export class NoInboxError extends NextEventFailure {
  constructor(message: string) {
    super('NoInboxError', message);
  }
}

/** What is said of a listener is wrong, or the configuration has no `outbound`. Mend the call. */
export class ListenerError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('ListenerError', message, cause);
  }
}

/** There is no listener of this id. Mend the call. */
export class UnknownListenerError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('UnknownListenerError', message, cause);
  }
}

/** The listener is removed, or is one of the configuration. Create another one. */
export class ListenerConflictError extends NextEventFailure {
  constructor(message: string, cause?: Error) {
    super('ListenerConflictError', message, cause);
  }
}

const listenerErrors = { ListenerError, UnknownListenerError, ListenerConflictError };

/** The failure of a call about a listener as the error that its type names. */
export function toListenerError(cause: unknown): Error | undefined {
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const type = cause.type as keyof typeof listenerErrors;
  if (!Object.hasOwn(listenerErrors, type)) return undefined;
  return new listenerErrors[type](cause.message, cause);
}

const byType = {
  FilterError,
  UnknownSourceError,
  AmbiguousSourceError,
  SourceFullError,
  UnindexedFilterQuotaError,
};

/** The failure of a registration as the error that its type names. */
export function toSubscribeError(cause: unknown): Error | undefined {
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const type = cause.type as keyof typeof byType;
  return Object.hasOwn(byType, type) ? new byType[type](cause.message, cause) : cause;
}

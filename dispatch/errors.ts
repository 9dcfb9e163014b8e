/** The event could not be made durable. Nothing is lost if its sender tries again. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
  /** When to try again, in seconds. */
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds = 1, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** There is no such listener, or no such delivery or attempt of it. */
export class UnknownListenerError extends Error {
  override readonly name = 'UnknownListenerError';
}

/** The listener is not as it would have to be for what is asked. */
export class ListenerConflictError extends Error {
  override readonly name = 'ListenerConflictError';
}

/** Another has changed the listener meanwhile: a conflict that asking anew may resolve. */
export class ListenerChangedError extends ListenerConflictError {}

/** Nobody answers for the listener: no worker runs it. What was asked for may come about yet. */
export class ListenerSilentError extends Error {
  override readonly name = 'ListenerSilentError';
}

/** A listener of the configuration can not be deployed, and the message says why. */
export class DeployError extends Error {
  override readonly name = 'DeployError';
}

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

/** A condition did not come true in time. */
export class WaitError extends Error {
  override readonly name = 'WaitError';
}

/** The ingress did not accept a request. */
export class NotAcceptedError extends Error {
  override readonly name = 'NotAcceptedError';
  /** The HTTP status of the answer. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Recorded histories do not replay: the workflow's code takes another path than it took then. */
export class ReplayFailedError extends Error {
  override readonly name = 'ReplayFailedError';
  /** Why, by the name of each history that failed. */
  readonly failures: ReadonlyMap<string, Error>;

  constructor(message: string, failures: ReadonlyMap<string, Error>) {
    super(message);
    this.failures = failures;
  }
}

/** A listener's definition is wrong: whoever wrote it mends it. */
export class ListenerError extends Error {
  override readonly name = 'ListenerError';
}

/** The configuration does not allow that requests go there. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** The configuration of this worker lacks what a request needs: that of another, or a later one, may have it. */
export class UnconfiguredError extends Error {
  override readonly name = 'UnconfiguredError';
}

/** The request can not be made, now or later. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

/** A listener's definition is wrong: whoever wrote it mends it. */
export class ListenerError extends Error {
  override readonly name = 'ListenerError';
}

/** The configuration does not allow that requests go there. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** The configuration has no such secret, or its environment variable is not set. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
}

/** The request can not be made, now or later. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

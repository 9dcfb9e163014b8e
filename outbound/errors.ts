/** A listener's definition is wrong: whoever wrote it mends it. */
export class ListenerError extends Error {
  override readonly name = 'ListenerError';
}

/** The configuration does not allow that requests go there. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** What a request needs is missing or over: another worker, a later configuration or a change of the listener mends it. */
export class MendableError extends Error {
  override readonly name = 'MendableError';
}

/** The request can not be made, now or later. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

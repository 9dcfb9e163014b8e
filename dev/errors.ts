/** Something outside is not as it must be, and the message says what and how to mend it. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

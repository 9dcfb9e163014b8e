// How long workflow code may run without a break before its worker interrupts it.

/**
 * The SDK's own bound is 5 s of the clock, and Node may not survive that it is reached
 * (nodejs/node#38503): the process ends, with every workflow that it runs. A workflow that has
 * 8,000 signals to take at once needs that long by itself, and on a machine that has too much to
 * do more than half a minute. One that never comes to an end is interrupted all the same, and
 * the server gives its task up after ten seconds.
 *
 * It is an option of the SDK's worker that its types leave out.
 */
export const PATIENT: object = { isolateExecutionTimeout: '2 minutes' };

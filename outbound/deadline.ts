/** How long work may go on once it was told to stop, in milliseconds: it may have a result by then. */
const GRACE_MS = 1_000;

/** Work is to be over after so long, or when the signal is aborted. */
export interface Deadline {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Does the work with a signal that is aborted at the deadline. Work that takes no notice of it is
 * left alone: what is thrown then is the reason of the signal, a `TimeoutError` if the time is over.
 */
export async function withDeadline<T>(
  { timeoutMs, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // Not AbortSignal.any and AbortSignal.timeout: of these, Node may collect one that is waited for.
  const stop = new AbortController();
  const cancel = (): void => stop.abort(signal.reason);
  const timer = setTimeout(() => {
    stop.abort(new DOMException('the time is over', 'TimeoutError'));
  }, timeoutMs);
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  let giveUp: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const wait = (): void => {
      giveUp = setTimeout(() => reject(stop.signal.reason as Error), GRACE_MS);
    };
    if (stop.signal.aborted) wait();
    else stop.signal.addEventListener('abort', wait);
  });
  try {
    return await Promise.race([work(stop.signal), late]);
  } finally {
    clearTimeout(timer);
    clearTimeout(giveUp);
    signal.removeEventListener('abort', cancel);
  }
}

import { ApplicationFailure } from '@temporalio/common';

/** Errors about listeners that no retry cures. */
const FINAL: ReadonlySet<string> = new Set([
  'ListenerError',
  'UnknownListenerError',
  'ListenerConflictError',
]);

/** What can not be cured becomes the failure of the activity, by its name. */
export async function refusing<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof Error) || !FINAL.has(error.name)) throw error;
    const { message, name: type } = error;
    throw ApplicationFailure.create({ message, type, nonRetryable: true });
  }
}

/** More than lie between a promise and the code of users' own functions that waits for it. */
const MICROTASKS = 24;

/**
 * Calls back after so many microtasks: other code that goes on in as many is there before. Each is that of a
 * promise which is resolved with the next thenable. A promise for each would cost much more, because
 * the SDK notes the stack of every one.
 */
export function afterMicrotasks(goOn: () => void): void {
  void Promise.resolve(later(MICROTASKS, goOn));
}

function later(count: number, goOn: () => void): PromiseLike<void> {
  const then = (resolve: (next?: PromiseLike<void>) => void): void => {
    if (count > 1) return resolve(later(count - 1, goOn));
    goOn();
    resolve();
  };
  // oxlint-disable-next-line unicorn/no-thenable
  return { then } as PromiseLike<void>;
}

// How a run learns that it was reset. Its code is replayed up to the place of the reset, and
// there its randomness becomes new: a job that the SDK takes out of the activation before
// interceptors see it. Only the method that does the job is left to listen at.

import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

/** Calls the listener in each activation in which the run goes on after a reset, at its begin. */
export function onReset(listener: () => void): void {
  const activator = getActivator();
  const updateRandomSeed = activator.updateRandomSeed.bind(activator);
  activator.updateRandomSeed = (job) => {
    updateRandomSeed(job);
    listener();
  };
}

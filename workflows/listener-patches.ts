// What was otherwise in older code of listeners, and so in older histories.

import { patched } from '@temporalio/workflow';

export interface ListenerPatches {
  /** How many attempts there were counts among what is full. */
  readonly countsAttempts: () => boolean;
  /** One that was deactivated sends nothing when it retires, and one that has can be deactivated. */
  readonly staysSuspended: () => boolean;
  /** After a reset, no number comes again that another reset has left out. */
  readonly numbersByTime: () => boolean;
}

/** As it is now. */
export const NEWEST: ListenerPatches = {
  countsAttempts: () => true,
  staysSuspended: () => true,
  numbersByTime: () => true,
};

/** As it is in this run. */
export const PATCHES: ListenerPatches = {
  countsAttempts: () => patched('counts-attempts'),
  staysSuspended: () => patched('stays-suspended'),
  numbersByTime: () => patched('numbers-by-time'),
};

// Which of its deliveries a listener tells of, in one answer. Pure.

import type { Delivery } from '../events/listener.ts';
import { sizeOf } from './listener-budget.ts';
import type { Pending } from './listener-pending.ts';

/** How many that are pending it tells of, ... */
export const PENDING_SHOWN_MAX = 1_000;

/** ... and how many bytes in all: an answer of the server has 2 MiB at the most. */
export const SHOWN_BYTES_MAX = 1.4 * 1024 * 1024;

/** The newest of what is pending, and of what is not, oldest first. What is not comes before the others. */
export function toShown(
  pending: readonly Pending[],
  resolved: readonly Delivery[],
): readonly Delivery[] {
  const newest = pending.slice(-PENDING_SHOWN_MAX).map(({ delivery }) => delivery);
  let bytes = 0;
  const all = [...newest, ...resolved];
  const tooOld = all.findLastIndex((delivery) => {
    bytes += ','.length + sizeOf(delivery);
    return bytes > SHOWN_BYTES_MAX;
  });
  return all.slice(tooOld + 1).toSorted((one, other) => one.number - other.number);
}

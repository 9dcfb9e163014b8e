// What a workflow says that it subscribes to.

import type { SubscriptionId } from '../events/subscription.ts';
import type { HeldSubscription } from './inbox-state.ts';
import type { HeldDescription } from './messages.ts';
import type { Unread } from './unread.ts';

export interface Holder {
  readonly suspended: boolean;
  sourceOf(id: SubscriptionId): string;
}

/** Each with how much has come, and how much of that is unread. */
export function describeHeld(
  held: readonly HeldSubscription[],
  unread: readonly Unread[],
  holder: Holder,
): readonly HeldDescription[] {
  const { suspended } = holder;
  return held.map(({ id, filter, received = 0 }) => {
    const waiting = unread.filter((one) => one.id === id).length;
    return { id, source: holder.sourceOf(id), filter, received, unread: waiting, suspended };
  });
}

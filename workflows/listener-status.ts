// How the status of a listener changes. Pure: what it keeps in its memo goes in, and comes out.

import type { ListenerMemo } from './listener-messages.ts';

export const ACTIVE = 'Active';
export const TOO_MANY_FAILURES = 'Delivery suspended due to too many delivery failures.';
export const TOO_MANY_PENDING = 'Delivery suspended due to too many pending deliveries.';
export const GONE = 'Delivery suspended because the receiver wants no more.';
export const REMOVED = 'the listener was removed';

/** Whether attempts are made: of one that has retired, for what came before. */
export function isDelivering({ status, isRetired, isSuspended }: ListenerMemo): boolean {
  return status === 'active' || (status === 'inactive' && isRetired === true && !isSuspended);
}

/** It is delivered what comes from now on, and what is pending. */
export function toActive(memo: ListenerMemo): ListenerMemo {
  const active = { status: 'active', statusMessage: ACTIVE, isRetired: false } as const;
  // Never left out: a memo keeps what is not written anew.
  return { ...memo, ...active, ...(memo.isSuspended && { isSuspended: false }) };
}

/** It delivers nothing. It had to be delivering. */
export function toInactive(memo: ListenerMemo, statusMessage: string): ListenerMemo {
  if (memo.status === 'active') return { ...memo, status: 'inactive', statusMessage };
  return { ...memo, statusMessage, isSuspended: true };
}

/** It only finishes what came before or, if it was deactivated and stays so, not even that. */
export function toRetired(
  memo: ListenerMemo,
  statusMessage: string,
  staysSuspended: () => boolean,
): ListenerMemo {
  const retired = { ...memo, status: 'inactive', statusMessage, isRetired: true } as const;
  if (memo.status !== 'inactive' || !staysSuspended()) return retired;
  return { ...retired, statusMessage: `${statusMessage} ${memo.statusMessage}`, isSuspended: true };
}

// A client of sources that does not give up where the product's tells its caller to come again: a
// busy machine answers late.

import { retrying } from '../dispatch/failures.ts';
import { SourceClient, type SourceDescription } from '../dispatch/source-client.ts';
import type { Event } from '../events/event.ts';
import type { SubscriptionId } from '../events/subscription.ts';
import type { BacklogEntry, RegisterRequest, SuspendRequest } from '../workflows/messages.ts';

/** How long a call is tried again. */
const CALL_MS_MAX = 60_000;

/** A call to a source, tried again while it is at those before it. */
export function patiently<T>(call: () => Promise<T>): Promise<T> {
  return retrying(CALL_MS_MAX, call);
}

export class PatientSource extends SourceClient {
  override register(source: string, request: RegisterRequest): Promise<void> {
    return patiently(() => super.register(source, request));
  }

  override unregister(
    source: string,
    ids: readonly SubscriptionId[],
    upTo?: number,
  ): Promise<void> {
    return patiently(() => super.unregister(source, ids, upTo));
  }

  override accept(source: string, entries: readonly BacklogEntry[]): Promise<void> {
    return patiently(() => super.accept(source, entries));
  }

  override suspend(source: string, request: SuspendRequest): Promise<void> {
    return patiently(() => super.suspend(source, request));
  }

  override describe(source: string): Promise<SourceDescription | undefined> {
    return patiently(() => super.describe(source));
  }

  override storeEvents(events: readonly Event[]): Promise<Pick<BacklogEntry, 'storedAmong'>> {
    return patiently(() => super.storeEvents(events));
  }
}

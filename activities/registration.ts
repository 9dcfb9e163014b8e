// Registers and unregisters subscriptions, on behalf of a workflow.

import { ApplicationFailure } from '@temporalio/common';

import type { SourceClient } from '../dispatch/source-client.ts';
import { compileFilter } from '../events/filter.ts';
import type { Registration, SubscriptionId } from '../events/subscription.ts';
import { STATE_BYTES_MAX, type StateSizes } from './state-sizes.ts';

export interface RegistrationRequest extends Registration {
  /** A source, or a trigger that stands for its source. */
  readonly source: string;
}

export interface RegistrationDeps {
  readonly client: SourceClient;
  readonly sizes: StateSizes;
  /** The source that a name stands for. Throws for one that stands for none, or for two. */
  readonly resolveSource: (name: string) => string;
}

export function createRegistrationActivities({ client, sizes, resolveSource }: RegistrationDeps) {
  return {
    /** Checks the source and the filter; durable in the source workflow once it returns. */
    async nexteventRegister(request: RegistrationRequest): Promise<void> {
      const { source: name, ...registration } = request;
      const source = refusing(request, () => resolveSource(name));
      refusing(request, () => compileFilter(registration.filter));
      const bytes = await sizes.add(source, JSON.stringify(registration).length);
      if (bytes > STATE_BYTES_MAX) {
        const message = `source "${source}" holds ${bytes} bytes, at most ${STATE_BYTES_MAX}`;
        throw ApplicationFailure.nonRetryable(message, 'SourceFullError');
      }
      await client.register(source, { registrations: [registration] });
    },

    /** For a workflow that was reset: what it holds may have been removed meanwhile. */
    async nexteventRegisterAgain(requests: readonly RegistrationRequest[]): Promise<void> {
      for (const { source, ...registration } of requests) {
        await client.register(resolveSource(source), {
          registrations: [registration],
          again: true,
        });
      }
    },

    async nexteventUnregister(
      ended: ReadonlyArray<{ readonly id: SubscriptionId; readonly source: string }>,
    ): Promise<void> {
      const idsByName = new Map<string, SubscriptionId[]>();
      for (const { id, source } of ended) {
        idsByName.set(source, [...(idsByName.get(source) ?? []), id]);
      }
      for (const [name, ids] of idsByName) await client.unregister(resolveSource(name), ids);
    },
  };
}

/** What the check refuses, no retry cures: it becomes the failure of `subscribe`. */
function refusing<T>({ source, filter }: RegistrationRequest, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const message = `${error.message} (subscribing to ${source} with filter "${filter}")`;
    throw ApplicationFailure.create({ message, type: error.name, nonRetryable: true });
  }
}

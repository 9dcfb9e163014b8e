// Registers and unregisters subscriptions, on behalf of a workflow.

import { ApplicationFailure } from '@temporalio/common';

import { untilAcknowledgeable } from '../dispatch/backlog.ts';
import { sideBySide } from '../dispatch/side-by-side.ts';
import type { SourceClient, SourceDescription } from '../dispatch/source-client.ts';
import {
  describeAccess,
  UNINDEXED_COST_MAX,
  UnindexedFilterQuotaError,
} from '../events/filter-access.ts';
import { compileFilter } from '../events/filter.ts';
import type { Registration, SubscriptionId } from '../events/subscription.ts';
import type { ChangesRequest } from '../workflows/messages.ts';
import { HOT_BYTES_MAX, STATE_BYTES_MAX, type StateSizes } from './state-sizes.ts';

/** For so many runs at once a source is told of what they have registered. */
const RUNS_AT_ONCE = 8;

/** The clocks of ingress and server differ by less. */
const CLOCKS_MS = 5_000;

/** How long a source may take to look at all that it was told. */
const QUERY_MS_MAX = 2_000;

/** A question whose answer is small. */
const NO_CHANGES: ChangesRequest = { firstRunId: '', since: 0, after: Number.MAX_SAFE_INTEGER };

export interface RegistrationRequest extends Registration {
  /** A source, or a trigger that stands for its source. */
  readonly source: string;
  /** The source that it stood for when it was subscribed; the configuration may have changed. */
  readonly resolved?: string;
}

/** What a workflow has to know of its registration. */
export interface Registered {
  /** The source that the name stands for. Older histories do not say. */
  readonly source?: string;
  /** Whether the workflow's search attribute is to name it. */
  readonly isSearchable?: boolean;
  /** The workflow hands events over one at a time; `true`: those for which somebody waits. Older ones do not. */
  readonly inTurn?: boolean | 'everyone';
  /** Results of local activities have their turn, too, and what is given at once can be taken back. */
  readonly settle?: boolean;
}

type Held = Pick<RegistrationRequest, 'id' | 'source' | 'resolved'>;
type Suspended = Held & Pick<RegistrationRequest, 'run'>;

export interface RegistrationDeps {
  readonly client: SourceClient;
  readonly sizes: StateSizes;
  /** Whether the namespace has the search attribute. */
  readonly isSearchable: () => Promise<boolean>;
  /** The source that a name stands for. Throws for one that stands for none, or for two. */
  readonly resolveSource: (name: string) => string;
}

export function createRegistrationActivities(deps: RegistrationDeps) {
  const { client, sizes, isSearchable, resolveSource } = deps;
  return {
    /** Checks the source and the filter; durable in the source workflow once it returns. */
    async nexteventRegister(request: RegistrationRequest): Promise<Registered> {
      const source = refusing(request, () => resolveSource(request.source));
      refusing(request, () => compileFilter(request.filter));
      const registration = toRegistration(request);
      await admit(sizes, request, { source, registration });
      await client.register(source, { registrations: [registration] });
      // The subscription does not depend on it.
      const searchable = await isSearchable().catch(() => false);
      return { source, isSearchable: searchable, inTurn: 'everyone', settle: true };
    },

    /** For a workflow whose sources may have dropped or suspended what it holds. */
    async nexteventRegisterAgain(requests: readonly RegistrationRequest[]): Promise<void> {
      const bySource = new Map<string, Registration[]>();
      for (const request of requests) {
        const source = sourceOf(request);
        bySource.set(source, [...(bySource.get(source) ?? []), toRegistration(request)]);
      }
      for (const [source, registrations] of bySource) {
        await client.register(source, { registrations, again: true });
      }
    },

    async nexteventUnregister(ended: readonly Held[]): Promise<void> {
      for (const [source, ids] of groupBySource(ended)) await client.unregister(source, ids);
    },

    /**
     * For what is to get nothing more of what comes after `since`, in milliseconds since 1970. Fails,
     * and so is tried again, while something from before may be in the backlog: who is not registered
     * any more would not get it.
     */
    async nexteventWithdraw(withdrawn: Held, since: number): Promise<void> {
      const source = sourceOf(withdrawn);
      await passBacklog(client, source, since);
      await client.unregister(source, [withdrawn.id]);
      // A reading from before gives leave to signal it for so long.
      await untilAcknowledgeable(performance.now());
    },

    /** For a workflow whose run takes no more events; an earlier run may have registered them. */
    async nexteventSuspend(held: readonly Suspended[], run: string): Promise<void> {
      const runOf = (one: Suspended): string => one.run ?? run;
      await sideBySide(new Set(held.map(runOf)), RUNS_AT_ONCE, async (registeredBy) => {
        const those = held.filter((one) => runOf(one) === registeredBy);
        for (const [source, ids] of groupBySource(those)) {
          await client.suspend(source, { ids, undeliverable: 0, run: registeredBy });
        }
      });
    },
  };

  function groupBySource(held: readonly Held[]): Map<string, SubscriptionId[]> {
    const ids = new Map<string, SubscriptionId[]>();
    for (const one of held) {
      const source = sourceOf(one);
      ids.set(source, [...(ids.get(source) ?? []), one.id]);
    }
    return ids;
  }

  /** A source that is not in the configuration any more holds subscriptions all the same. */
  function sourceOf({ source: name, resolved }: Held): string {
    if (resolved !== undefined) return resolved;
    try {
      return resolveSource(name);
    } catch {
      return name;
    }
  }
}

/** @throws Error while what came to the source before this time may be in its backlog */
async function passBacklog(client: SourceClient, source: string, since: number): Promise<void> {
  const described = await client.describe(source);
  if (described === undefined) return;
  if (!described.isOpen) await client.restart(source);
  assertPast(source, described, since);
  if (!described.isPending) return;
  // What it has not looked at yet may be for its backlog: a query waits until it has.
  await client.changes(source, NO_CHANGES, QUERY_MS_MAX);
  assertPast(source, await client.describe(source), since);
}

function assertPast(source: string, described: SourceDescription | undefined, since: number): void {
  // One that somebody has paused has events that are in no task.
  const memo = described?.isRunning ? described.memo : undefined;
  if (memo === undefined || memo.recovering) {
    throw new Error(`source "${source}" does not know what it holds`);
  }
  const { backlog, oldestAcceptedAt = 0 } = memo;
  if (backlog === 0 || oldestAcceptedAt > since + CLOCKS_MS) return;
  throw new Error(`the backlog of source "${source}" may have something that came before`);
}

interface Admitted {
  readonly source: string;
  readonly registration: Registration;
}

/**
 * Counts what is about to be registered, if its source has room for it. An attempt that is made again
 * counts once, and is not refused: the one before may have registered it.
 */
async function admit(
  sizes: StateSizes,
  request: RegistrationRequest,
  { source, registration }: Admitted,
): Promise<void> {
  const isAgain = sizes.hasAdded(registration.id);
  const bytes = isAgain ? 0 : JSON.stringify(registration).length;
  const unindexed = isAgain ? 0 : (registration.unindexed ?? 0);
  const size = await sizes.of(source);
  if (unindexed > 0 && size.unindexed + unindexed > UNINDEXED_COST_MAX) {
    refusing(request, () => {
      throw new UnindexedFilterQuotaError(source);
    });
  }
  if (bytes > 0 && size.bytes + bytes > STATE_BYTES_MAX) {
    const message = `source "${source}" holds ${size.bytes} bytes, at most ${STATE_BYTES_MAX}`;
    throw ApplicationFailure.nonRetryable(message, 'SourceFullError');
  }
  // It is tried again until there is room.
  if (size.hotBytes + bytes > HOT_BYTES_MAX) {
    throw new Error(`source "${source}" has to move what it holds to a segment first`);
  }
  if (!isAgain) await sizes.add(source, registration.id, { bytes, unindexed });
}

/** With what its filter costs every event. One that was accepted once stays accepted. */
function toRegistration(request: RegistrationRequest): Registration {
  const { source: _source, resolved: _resolved, ...registration } = request;
  const unindexed = costOf(registration.filter);
  return { ...registration, ...(unindexed > 0 && { unindexed }) };
}

function costOf(filter: string): number {
  try {
    return describeAccess(filter).cost;
  } catch {
    // Another version of this program has accepted it.
    return 0;
  }
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

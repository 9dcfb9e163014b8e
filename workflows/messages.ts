// The wire contract between ingress, activities and workflows. These names and
// shapes are stored in workflow history: add new ones, never rename or reuse one.

import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

import type { Event } from '../events/event.ts';
import type { Operation } from '../events/operation.ts';
import type { Registration, Subscription, SubscriptionId } from '../events/subscription.ts';

/** The task queue of the source workflows, away from the load of users' workflows. */
export const SOURCE_TASK_QUEUE = 'nextevent-sources';

export const SOURCE_WORKFLOW_TYPE = 'nexteventSource';
export const STORED_EVENT_WORKFLOW_TYPE = 'nexteventStoredEvent';
export const SEGMENT_WORKFLOW_TYPE = 'nexteventSegment';

/** The workflow that owns the subscriptions and the backlog of a source. */
export function sourceWorkflowId(source: string): string {
  return `nextevent/source/${source}`;
}

/** The workflow whose input is an event that is or was in the backlog of its source. */
export function storedEventWorkflowId({ source, id }: Pick<Event, 'source' | 'id'>): string {
  return `nextevent/event/${source}/${id}`;
}

/** The workflow whose inputs are events that came to the backlog of their source together, or again. */
export function storedEventsWorkflowId(source: string, key: string): string {
  return `nextevent/events/${source}/${key}`;
}

/** The workflow whose input is a segment of the subscriptions of a source. */
export function segmentWorkflowId(
  source: string,
  { name }: Pick<SegmentReference, 'name'>,
): string {
  return `nextevent/segment/${source}/${name}`;
}

/** The search attribute (KeywordList) that names the sources that a workflow subscribes to. */
export const SOURCE_ATTRIBUTE = 'NextEventSource';

// To a subscriber ---------------------------------------------------------------------

/** Events for one workflow, oldest first. */
export interface EventBatch {
  /** The first run of the workflow that subscribed. Any other workflow ignores the batch. */
  readonly to: string;
  readonly events: readonly MatchedEvent[];
}

/** An event with the subscriptions of one workflow that it matched. */
export interface MatchedEvent {
  readonly event: Event;
  readonly subscriptions: readonly SubscriptionId[];
}

/** Events for whatever run has the workflow id that their trigger gave, oldest first. */
export interface TriggerBatch {
  readonly trigger: string;
  /** The first of them is also the argument of the run, if the signal started one. */
  readonly events: readonly Event[];
}

/** One name for all events: signals of different names would not be taken in their order. */
export const eventSignal = defineSignal<[EventBatch | TriggerBatch]>('nextevent:event');

/** A subscription as its workflow has it. */
export interface HeldDescription {
  readonly id: SubscriptionId;
  /** The name that it was subscribed under: a source's, or a trigger's. */
  readonly source: string;
  readonly filter: string;
  /** How many events have come for it. */
  readonly received: number;
  /** How many of them nobody has read yet. */
  readonly unread: number;
  /** Whether the run takes no more. */
  readonly suspended: boolean;
}

/** What a workflow subscribes to. */
export const subscriptionsQuery =
  defineQuery<readonly HeldDescription[]>('nextevent:subscriptions');

// Of a workflow whose trigger has `respond` --------------------------------------------

/** An answer to an HTTP request. */
export interface HttpResponse {
  /**
   * From 200 to 599.
   *
   * @default 200, or 204 without a body
   */
  readonly status?: number;
  /**
   * By name.
   *
   * @default a content type that the body calls for
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Text is sent as it is, everything else as JSON.
   *
   * @default none
   */
  readonly body?: unknown;
}

/** Waits for the answer to an event. */
export const responseUpdate = defineUpdate<HttpResponse, [eventId: string]>('nextevent:response');

/** The answer to an event, if there is one: also of a workflow that has ended. */
export const responseQuery = defineQuery<HttpResponse | null, [eventId: string]>(
  'nextevent:response',
);

// To a source workflow ----------------------------------------------------------------

/** What a registration adds to the subscription; `again` revives an id that was removed. */
export interface RegisterRequest {
  readonly registrations: readonly Registration[];
  readonly again?: true;
}

export interface UnregisterRequest {
  readonly ids: readonly SubscriptionId[];
  /** Only what has not changed after this version. */
  readonly upTo?: number;
}

/** A reference to an event that waits in the backlog. Its body is in a workflow of its own. */
export interface BacklogEntry {
  readonly eventId: string;
  /** The workflow whose input is the event, if it is not that of `storedEventWorkflowId`. */
  readonly storedIn?: string;
  /** The workflow that has it among its inputs. */
  readonly storedAmong?: string;
  /** The version up to which every match has already taken the event; 0 if none was tried. */
  readonly after: number;
  /** The chain of runs that `after` belongs to: in another one it says nothing. */
  readonly chain?: string;
  /** When it was accepted, in milliseconds since 1970, by the clock of the ingress. */
  readonly acceptedAt?: number;
  /** Workflows at or before `after` that have not taken it: the rest of a partial dispatch. */
  readonly leftOver?: readonly string[];
}

/** An entry with the version of the source at which it was accepted. */
export interface PlacedEntry extends BacklogEntry {
  readonly place: number;
}

export interface AcceptRequest {
  readonly entries: readonly BacklogEntry[];
}

/** The workflow of these subscriptions takes no more events in its present run. */
export interface SuspendRequest {
  readonly ids: readonly SubscriptionId[];
  /** How many events they did not get for it. */
  readonly undeliverable: number;
  /** Only what this run registered: another one takes more. */
  readonly run?: string;
  /** Only what has not changed after this version. */
  readonly upTo?: number;
}

export const registerSignal = defineSignal<[RegisterRequest]>('register');
export const unregisterSignal = defineSignal<[UnregisterRequest]>('unregister');
export const acceptSignal = defineSignal<[AcceptRequest]>('accept');
export const suspendSignal = defineSignal<[SuspendRequest]>('suspend');

export interface ChangesRequest {
  /** The chain of runs that `since` belongs to; another one is answered with a snapshot. */
  readonly firstRunId: string;
  /** The version that the asker has. */
  readonly since: number;
  /** For the next page: what is of a version after this one. */
  readonly after?: number;
  /** It reads segments. A source that has some does not answer who does not. */
  readonly readsSegments?: true;
}

/** An immutable part of a source's subscriptions, which is in a workflow of its own. */
export interface SegmentReference {
  /** Tells it from all others of its source. */
  readonly name: string;
  readonly runId: string;
  readonly subscriptions: number;
  readonly suspended: number;
  readonly unindexed: number;
  /** How many are not subscriptions, but changes of those in older segments. */
  readonly operations: number;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** Not compressed. */
  readonly bytes: number;
}

/** What changed in a source since a version, or all there is (`snapshot`). */
export interface Changes {
  readonly firstRunId: string;
  readonly runId: string;
  readonly version: number;
  readonly backlog: number;
  readonly snapshot: boolean;
  readonly added: readonly Subscription[];
  readonly removed: readonly SubscriptionId[];
  /** It does not know all of its subscriptions yet. */
  readonly recovering?: true;
  /** Set while there are more pages: ask again with this `after`. */
  readonly next?: number;
  /** Segments with changes that come before what is here, oldest first. */
  readonly segments?: readonly SegmentReference[];
  /** Changes that come after `added`, oldest first. */
  readonly operations?: ReadonlyArray<readonly [id: SubscriptionId, operation: Operation]>;
  /** Pages belong together if they have the same: else something has moved between them. */
  readonly layout?: number;
}

export const changesQuery = defineQuery<Changes, [ChangesRequest]>('changes');

/** What the source workflow keeps in its memo, for readers that have no worker to ask. */
export interface SourceMemo extends Record<string, unknown> {
  readonly version: number;
  readonly backlog: number;
  /** About how much its subscriptions take, in bytes. */
  readonly stateBytes: number;
  readonly subscriptions?: number;
  /** How many of them are suspended. */
  readonly suspended?: number;
  /** How many of them no index serves. */
  readonly unindexed?: number;
  /** How much of `stateBytes` is not in segments. */
  readonly hotBytes?: number;
  readonly segments?: number;
  /** When the oldest event of the backlog was accepted; 0 if there is none, or it does not say. */
  readonly oldestAcceptedAt?: number;
  /** It does not know all of its subscriptions yet. */
  readonly recovering?: boolean;
}

/** Why a query failed: to answer, the run would have had to go ahead of its workflow tasks. */
export const GONE_AHEAD =
  'what came to this workflow last is in no workflow task yet: it can be asked again once it is';

/** Why a workflow task failed: to answer a query, the run had gone ahead of it. */
export const HAD_GONE_AHEAD =
  'a query was answered while another worker had a workflow task of this run: this task is executed again, as a replay does';

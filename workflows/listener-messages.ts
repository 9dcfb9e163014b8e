// The wire contract of listeners: names and shapes are in histories. Add new ones, never rename or
// reuse one.

import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

import type { Delivery, ListenerDefinition, ListenerStatus } from '../events/listener.ts';
import type { ListenerState } from './listener-records.ts';

export const LISTENER_WORKFLOW_TYPE = 'nexteventListener';
export const DELIVERY_WORKFLOW_TYPE = 'nexteventDelivery';
export const DEPLOYMENT_WORKFLOW_TYPE = 'nexteventDeployment';

const SUMMARY_LENGTH_MAX = 150;

/** The task queue of the listeners of a project, away from the load of its workflows. */
export function listenerTaskQueue(taskQueue: string): string {
  return `${taskQueue}-listeners`;
}

export function listenerWorkflowId(id: string): string {
  return `nextevent/listener/${id}`;
}

/** The workflow whose input is the event of a delivery that did not succeed at once. */
export function deliveryWorkflowId(listener: string, number: number): string {
  return `nextevent/delivery/${listener}/${number}`;
}

/** The server takes summaries up to 400 bytes as JSON, and nothing at all that has a longer one. */
export function toSummary(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?').slice(0, SUMMARY_LENGTH_MAX);
}

/** The workflow that knows which static listeners a project has: one for each task queue. */
export function deploymentWorkflowId(taskQueue: string): string {
  return `nextevent/deployment/${taskQueue}`;
}

/** What a listener keeps in its memo, for readers that have no worker to ask. */
export interface ListenerMemo extends Record<string, unknown> {
  readonly definition: ListenerDefinition;
  readonly status: ListenerStatus;
  /** Why it is as it is: `Active`, or why it was deactivated. */
  readonly statusMessage: string;
  /** In RFC 3339. */
  readonly createdAt: string;
  /** The configuration has it: whoever deploys that changes it. */
  readonly isStatic: boolean;
  /** What it was created for: what is done again for the same creates no second one. */
  readonly createdBy?: string;
  /** Another has taken its place: it gets nothing more, and only finishes what is pending. */
  readonly isRetired?: boolean;
  /** It has retired, and does not deliver what is pending either: too much has failed. */
  readonly isSuspended?: boolean;
}

/** What a listener starts with. */
export interface ListenerInput {
  readonly id: string;
  readonly memo: ListenerMemo;
  /** What the run before has left: only a listener itself gives it. */
  readonly state?: ListenerState;
  /**
   * After so many events in its history a run continues as new.
   *
   * @default 4,000
   */
  readonly historyEventsMax?: number;
}

/** A listener as it is. */
export interface ListenerView extends ListenerMemo {
  readonly id: string;
  /** How many deliveries there have been. */
  readonly deliveries: number;
  readonly pending: number;
  /** How many have failed since one succeeded. */
  readonly failuresInRow: number;
}

/**
 * What is asked of a delivery workflow when it starts. Its second argument is the event. If the
 * delivery is not pending, it ends at once.
 */
export interface DeliveryInput {
  readonly delivery: Delivery;
}

/** What a delivery workflow keeps in its memo: as it was when it started, and when it ended. */
export interface DeliveryMemo extends Record<string, unknown> {
  readonly delivery: Delivery;
}

/** The delivery is not pending any more. Its workflow ends: completed, or failed if it has. */
export const endDeliverySignal = defineSignal<[Delivery]>('nextevent:end');
/** The type of the failure with which a delivery workflow fails; the delivery is its detail. */
export const DELIVERY_FAILED = 'DeliveryFailed';
/** The type of the failure of an activity that needs an event which is nowhere any more. */
export const EVENT_NOT_ON_RECORD = 'EventNotOnRecordError';

/** Whether anything has changed, and what it is like now. */
export interface Changed {
  readonly changed: boolean;
  readonly listener: ListenerView;
}

/** Resolves when it has its subscriptions; refused if its definition is wrong. */
export const listenerReadyUpdate = defineUpdate<ListenerView>('nextevent:ready');
/**
 * Takes the place of the definition, from the next attempt on; of `before`, if that is given, and else
 * it fails as `LISTENER_CHANGED`.
 */
export const changeListenerUpdate = defineUpdate<
  Changed,
  [definition: ListenerDefinition, before: ListenerDefinition | undefined]
>('nextevent:change');
/** The type of that failure: whoever asks reads the definition again. */
export const LISTENER_CHANGED = 'ListenerChangedError';
export const activateListenerUpdate = defineUpdate<Changed>('nextevent:activate');
export const deactivateListenerUpdate = defineUpdate<Changed, [statusMessage: string]>(
  'nextevent:deactivate',
);
/** Deactivates it, too, but what is pending goes on, and nothing more comes. */
export const retireListenerUpdate = defineUpdate<Changed, [statusMessage: string]>(
  'nextevent:retire',
);
/** Pending deliveries fail; the listener ends. */
export const removeListenerUpdate = defineUpdate<Changed>('nextevent:remove');
/** Each of these deliveries again, under a number of its own: the numbers of the new ones. */
export const redeliverUpdate = defineUpdate<readonly number[], [numbers: readonly number[]]>(
  'nextevent:redeliver',
);

export const listenerQuery = defineQuery<ListenerView>('nextevent:listener');
/**
 * The newest that are pending, 1,000 or 1.4 MiB at the most, and the newest 100 that are not, oldest
 * first; or the one of a number, if it is pending or one of those. Older workers give all.
 */
export const deliveriesQuery = defineQuery<readonly Delivery[], [number?: number]>(
  'nextevent:deliveries',
);

// The wire contract of deployments: names and shapes are in histories. Add new ones, never rename
// or reuse one.

import { defineUpdate } from '@temporalio/workflow';

import type { ListenerDefinition } from '../events/listener.ts';

/** A listener of the configuration. */
export interface StaticListener {
  readonly definition: ListenerDefinition;
  /** Of its definition: another one is another listener. */
  readonly hash: string;
}

/** What a configuration has. */
export interface DeployRequest {
  /** Of all that is in it. */
  readonly hash: string;
  readonly listeners: readonly StaticListener[];
}

/** What a deployment has changed. */
export interface Deployed {
  /** How many configurations have been deployed, each one other than that before. */
  readonly generation: number;
  /** The ids of listeners that are new. */
  readonly created: readonly string[];
  /** The ids of those whose place they took, and of those that are in it no more. */
  readonly deactivated: readonly string[];
  /** The ids of those that are as they were. */
  readonly unchanged: readonly string[];
}

/** What a deployment keeps in its memo, for readers that have no worker to ask. */
export interface DeploymentMemo extends Record<string, unknown> {
  readonly generation: number;
  /** Of the configuration that is deployed; empty before the first. */
  readonly hash: string;
}

/** A listener that the deployed configuration has. */
export interface DeployedListener {
  readonly name: string;
  readonly id: string;
  readonly hash: string;
}

/** What a run is given: by the one before it, or nothing. */
export interface DeploymentInput extends DeploymentMemo {
  readonly listeners: readonly DeployedListener[];
  /**
   * After so many events in its history a run continues as new.
   *
   * @default 4,000
   */
  readonly historyEventsMax?: number;
}

/** Makes the listeners those of a configuration; the same again changes nothing. */
export const deployUpdate = defineUpdate<Deployed, [DeployRequest]>('nextevent:deploy');

import type { Client } from '@temporalio/client';

import { SubscriberClient } from './subscriber-client.ts';

/**
 * A workflow with so much history, in bytes, is sent no more: at 50 MiB the server would
 * terminate it, with everything in it that is unread.
 */
const HISTORY_BYTES_MAX = 45 * 1024 * 1024;

/** A workflow's history is looked at again after so many bytes were sent to it, */
const LOOK_AFTER_BYTES = 1024 * 1024;

/** but before each, once it has less room than this, in bytes: other processes send to it, too. */
const LITTLE_ROOM_BYTES = 5 * LOOK_AFTER_BYTES;

/**
 * Of so many workflows it is remembered how much they were sent: more than one event is for, or
 * those that come first would be forgotten by the time that the next event comes.
 */
const REMEMBERED_MAX = 100_000;

/** Keeps signals from a workflow whose history has no room for them. */
export class HistoryGuard {
  readonly #subscribers: SubscriberClient;
  /** Bytes sent to a workflow since its history was looked at. */
  readonly #sentBytes = new Map<string, number>();

  constructor(client: Client) {
    this.#subscribers = new SubscriberClient(client);
  }

  /** Whether so many bytes may be more than the workflow's run can hold. */
  async isFull(workflowId: string, bytes: number): Promise<boolean> {
    const sent = (this.#sentBytes.get(workflowId) ?? 0) + bytes;
    this.#remember(workflowId, sent);
    if (sent < LOOK_AFTER_BYTES) return false;
    const described = await this.#subscribers.describe(workflowId);
    const historyBytes = described?.isOpen === true ? described.historyBytes : 0;
    const room = HISTORY_BYTES_MAX - historyBytes - bytes;
    this.#remember(workflowId, room < LITTLE_ROOM_BYTES ? LOOK_AFTER_BYTES : bytes);
    return room < 0;
  }

  #remember(workflowId: string, bytes: number): void {
    this.#sentBytes.delete(workflowId);
    this.#sentBytes.set(workflowId, bytes);
    for (const oldest of this.#sentBytes.keys()) {
      if (this.#sentBytes.size <= REMEMBERED_MAX) break;
      this.#sentBytes.delete(oldest);
    }
  }
}

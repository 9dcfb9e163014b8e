// How much a listener may schedule in one workflow task: the server takes 4 MiB with which a task is
// completed, and the input of each activity is in that. Pure.

import { utf8ToBytes } from '@noble/hashes/utils.js';

/** How many bytes of activities one task schedules, or one activity: the rest is for the next task. */
export const TASK_BYTES_MAX = 1.5 * 1024 * 1024;

/** What an activity takes besides what it is given, in bytes. */
const ACTIVITY_BYTES = 512;

export class TaskBudget {
  readonly #isBounded: () => boolean;
  #spent = 0;
  #past = 0;
  #isShort = false;

  /** @param isBounded - asked where something would not fit; in the histories of older code all does */
  constructor(isBounded = () => true) {
    this.#isBounded = isBounded;
  }

  /** What has been scheduled so far. Once something later has come of it, tell `passed`. */
  get spent(): number {
    return this.#spent;
  }

  /** Something is left for the next task: somebody has to see to it that there is one. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** Whether an activity that is given so many bytes may be scheduled now. */
  fits(bytes: number): boolean {
    const before = this.#spent - this.#past;
    if (before === 0 || before + ACTIVITY_BYTES + bytes <= TASK_BYTES_MAX) return true;
    if (!this.#isBounded()) return true;
    this.#isShort = true;
    return false;
  }

  spend(bytes: number): void {
    this.#spent += ACTIVITY_BYTES + bytes;
  }

  /** What had been scheduled when so much was spent is of a task that is over. */
  passed(spent: number): void {
    this.#past = Math.max(this.#past, spent);
    this.#isShort = false;
  }
}

/** How much something takes where it is written down, in bytes. */
export function sizeOf(value: unknown): number {
  return utf8ToBytes(JSON.stringify(value)).length;
}

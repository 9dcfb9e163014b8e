// What goes on in a workflow task. Code goes on because a job of the activation wakes it, or a
// condition; conditions are looked at after each job, and whenever no code can go on any more.

import { CancellationScope, condition, patched, sleep } from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

import { eventSignal } from './messages.ts';
import type { Going } from './turns.ts';

/** More than so many times would take a task too long: it has ten seconds, and each takes milliseconds. */
const RESTS_PER_TASK_MAX = 200;

/** In the histories of older code, where the task does not end then. */
const OLD_RESTS_PER_TASK_MAX = 2_000;

/** As much of a job of an activation as tells what it is. */
interface Job {
  readonly signalWorkflow?: { readonly signalName?: string | null } | null;
  readonly resolveActivity?: { readonly isLocal?: boolean | null } | null;
}

/**
 * What local activities have given, if it is to wait for all else that a workflow task begins with. When a
 * history is replayed it comes together with that; when the history was made it came by itself.
 */
export function splitJobs<J extends Job>(all: J[]) {
  const jobs = all.filter(({ resolveActivity: job }) => !job?.isLocal);
  if (jobs.length === 0) return { jobs: all, results: [] };
  const results = all.flatMap(({ resolveActivity: job }) => (job?.isLocal ? [job] : []));
  return { jobs, results };
}

export class Task implements Going {
  /** How many pieces of code were woken, by a job or with an event. */
  #woken = 0;
  #rests = 0;
  #hasRested = false;
  #conditions = new Conditions();

  /** Call it before the jobs of an activation are done. */
  begin(jobs: readonly Job[]): void {
    // An event that nobody waits for wakes nobody.
    const others = jobs.filter(({ signalWorkflow: job }) => job?.signalName !== eventSignal.name);
    this.#woken = others.length;
    this.#rests = 0;
    this.#hasRested = false;
    this.#conditions = new Conditions();
  }

  get isSingle(): boolean {
    if (this.#rests >= OLD_RESTS_PER_TASK_MAX) return true;
    return this.#woken <= 1 && this.#conditions.areAsBefore();
  }

  /** One job can wake many, but after a rest there is only who was woken then. */
  get isAlone(): boolean {
    return this.#hasRested && this.isSingle;
  }

  get isInScope(): boolean {
    const { parent, cancellable } = CancellationScope.current();
    return parent !== undefined && cancellable && patched('in-turn-in-scopes');
  }

  get isTired(): boolean {
    return this.#rests >= RESTS_PER_TASK_MAX;
  }

  wake(): boolean {
    this.#woken += 1;
    return this.isSingle && this.#conditions.areNone;
  }

  async rest(endsTask: boolean): Promise<void> {
    if (this.#rests >= (endsTask ? RESTS_PER_TASK_MAX : OLD_RESTS_PER_TASK_MAX)) {
      if (!endsTask) return;
      // What is left is for the next task, which comes with this timer.
      await CancellationScope.nonCancellable(() => sleep(1));
    }
    this.#rests += 1;
    // Out of the jobs, after each of which conditions are looked at.
    await Promise.resolve();
    await CancellationScope.nonCancellable(async () => {
      let before: Conditions;
      do {
        before = new Conditions();
        await nextLook();
      } while (!before.areAsBefore(1));
    });
    this.#conditions = new Conditions();
    this.#woken = 0;
    this.#hasRested = true;
  }
}

/** The conditions that the workflow waits for, at a moment. */
class Conditions {
  readonly #blocked = getActivator().blockedConditions.size;
  readonly #made = getActivator().nextSeqs.condition;

  get areNone(): boolean {
    return this.#blocked === 0;
  }

  /** Whether none has come true, or was made, since; but so many that have come true. */
  areAsBefore(madeByUs = 0): boolean {
    const { blockedConditions, nextSeqs } = getActivator();
    return blockedConditions.size === this.#blocked && nextSeqs.condition === this.#made + madeByUs;
  }
}

/** Goes on when the conditions are looked at the next time; they are when one is made, too. */
function nextLook(): Promise<void> {
  let looks = 0;
  return condition(() => ++looks > 1);
}

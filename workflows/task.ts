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
}

export class Task implements Going {
  /** How many pieces of code were woken, by a job or with an event. */
  #woken = 0;
  #rests = 0;
  #hasRested = false;
  readonly #own: Made = { made: 0, blocked: 0 };
  #conditions = new Conditions(this.#own);

  /** Call it before the jobs of an activation are done. */
  begin(jobs: readonly Job[]): void {
    // An event that nobody waits for wakes nobody.
    const others = jobs.filter(({ signalWorkflow: job }) => job?.signalName !== eventSignal.name);
    this.#woken = others.length;
    this.#rests = 0;
    this.#hasRested = false;
    this.#conditions = new Conditions(this.#own);
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
        before = new Conditions(this.#own);
        await nextLook();
      } while (!before.areAsBefore(1));
    });
    this.#conditions = new Conditions(this.#own);
    this.#woken = 0;
    this.#hasRested = true;
  }

  /**
   * Does one after the other, each when all that went on before has come to rest, as if each came in an
   * activation of its own. Nothing of it shows in what `rest` waits for.
   */
  async oneByOne(jobs: ReadonlyArray<() => void>): Promise<void> {
    for (const job of jobs) {
      await CancellationScope.nonCancellable(() => this.#untilQuiet());
      this.begin([{}]);
      job();
    }
  }

  async #untilQuiet(): Promise<void> {
    let before: Conditions;
    do {
      before = new Conditions(this.#own);
      this.#own.made += 1;
      this.#own.blocked += 1;
      await nextLook(() => (this.#own.blocked -= 1));
    } while (!before.areAsBefore());
  }
}

/** Conditions that nobody is to see. */
interface Made {
  made: number;
  blocked: number;
}

/** The conditions that the workflow waits for, at a moment. */
class Conditions {
  readonly #own: Made;
  readonly #blocked: number;
  readonly #made: number;

  constructor(own: Made) {
    this.#own = own;
    this.#blocked = this.#blockedNow;
    this.#made = this.#madeNow;
  }

  get areNone(): boolean {
    return this.#blocked === 0;
  }

  /** Whether none has come true, or was made, since; but so many that have come true. */
  areAsBefore(madeByUs = 0): boolean {
    return this.#blockedNow === this.#blocked && this.#madeNow === this.#made + madeByUs;
  }

  get #blockedNow(): number {
    return getActivator().blockedConditions.size - this.#own.blocked;
  }

  get #madeNow(): number {
    return getActivator().nextSeqs.condition - this.#own.made;
  }
}

/** Goes on when the conditions are looked at the next time; they are when one is made, too. */
function nextLook(onLook = (): void => {}): Promise<void> {
  let looks = 0;
  return condition(() => {
    looks += 1;
    if (looks > 1) onLook();
    return looks > 1;
  });
}

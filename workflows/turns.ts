// Hands events to the code that reads them, one at a time.
//
// Between the moment in which a promise is resolved and that in which the code that waits for it
// goes on, other code of the same workflow task can run. If it continues as new, the event is with
// no run: the code that was to have it never goes on. So while other code may run, an event has its
// turn when nothing goes on any more; and the next one when this holds again. What has not had its
// turn by the time of continue-as-new is for the next run.
//
// Code that asks for an event which is there already waits for its turn as well: who else goes on is
// not known, as one result can be awaited by many; and code that asks for several at once, and goes
// on with the first, has to be able to leave the others. But to wait takes milliseconds, in which the
// SDK looks at all conditions. So code that has had its turn, and asks for one event after the other,
// gets them at once; but not in a scope that can be cancelled, where what is asked for may be taken back:
// it may be in a race with something that has come to pass long before. And what it has woken itself, by
// a promise that it has resolved, goes on before it does.

import type { Registered } from '../activities/registration.ts';
import type { Event } from '../events/event.ts';
import { afterMicrotasks } from './microtasks.ts';
import type { Waiter } from './waiters.ts';

/** What goes on in the workflow task. */
export interface Going {
  /** Whether only the code that runs goes on, as far as it is known. */
  readonly isSingle: boolean;
  /** Whether only the code that runs goes on. */
  readonly isAlone: boolean;
  /** Whether the code that runs may take back what it asks for. */
  readonly isInScope: boolean;
  /** Code is to go on with an event. Whether nothing else does, or will, before it has come to rest. */
  wake(): boolean;
  /**
   * Returns when nothing goes on any more. If that has been waited for too often in the task: at once or,
   * if it may end the task, in the next one.
   */
  rest(endsTask: boolean): Promise<void>;
}

/**
 * For whom events have their turn. In histories of older code, `true`, they have it for who waited for
 * them, in the order of asking; who finds one waits for a turn only while other code is known to go on.
 */
export type TurnsFor = 'everyone' | true;

/** What is on record of how a run hands events over. */
export type TurnsBegun = Pick<Registered, 'inTurn' | 'settle'>;

/** As this version does it. */
export const NEWEST_TURNS = { inTurn: 'everyone', settle: true } as const;

export interface Turn {
  event: Event;
  readonly reader: Waiter;
}

export class Turns {
  readonly #going: Going;
  readonly #positionOf: (event: Event) => number;
  readonly #waiting: Turn[] = [];
  #for: TurnsFor | undefined;
  #settle = false;
  #isTaking = false;
  #isHandingOver = false;

  /** @param positionOf - the place of an event among all that has arrived */
  constructor(going: Going, positionOf: (event: Event) => number) {
    this.#going = going;
    this.#positionOf = positionOf;
  }

  /** What has not been handed over yet, oldest first. */
  get events(): readonly Event[] {
    return this.#waiting.map(({ event }) => event);
  }

  /** In the histories of older code, events are handed over at once. */
  get haveBegun(): boolean {
    return this.#for !== undefined;
  }

  begin({ inTurn, settle = false }: TurnsBegun): void {
    if (inTurn && this.#for !== 'everyone') this.#for = inTurn;
    this.#settle ||= settle;
  }

  /** In the histories of older code, results come all at once, and what is given at once is gone. */
  get settle(): boolean {
    return this.#settle;
  }

  get isForEveryone(): boolean {
    return this.#for === 'everyone';
  }

  /** Whether it is to go on with an event that it has not got yet. */
  isPromised(reader: Waiter): boolean {
    return this.#waiting.some((turn) => turn.reader === reader);
  }

  /** Whether code that finds an event need not wait for its turn. */
  get areOver(): boolean {
    if (this.isForEveryone) {
      const isFirst = this.#waiting.length === 0 && !this.#isHandingOver;
      return isFirst && this.#going.isAlone && !this.#going.isInScope;
    }
    return this.#for === undefined || (this.#going.isSingle && this.#waiting.length === 0);
  }

  /** Gives code an event that is there, unless it is taken back by code that it has woken itself. */
  give(reader: Waiter, event: Event): void {
    const turn: Turn = { event, reader };
    this.#waiting.push(turn);
    afterMicrotasks(() => {
      const at = this.#waiting.indexOf(turn);
      if (at === -1) return;
      this.#waiting.splice(at, 1);
      reader.goOn(turn.event);
    });
  }

  /**
   * In the histories of older code. Code was given an event at once. Until it goes on with that, nobody
   * else is: not the code itself either, if it asks for another one first.
   */
  handOver(): void {
    this.#isHandingOver = true;
    // Before whoever awaits the event goes on, and after all that runs now.
    void Promise.resolve().then(() => (this.#isHandingOver = false));
  }

  /** Wakes the reader with the event, when its turn has come. */
  wake(reader: Waiter, event: Event): void {
    const isSingle = this.#going.wake() && this.#waiting.length === 0;
    if (!this.haveBegun || isSingle) reader.goOn(event);
    else this.queue(reader, event);
  }

  /** Lets the reader go on with the event when its turn has come. */
  queue(reader: Waiter, event: Event): void {
    this.#waiting.push({ event, reader });
    if (!this.#isTaking) void this.#take();
  }

  /** Nobody gets any of these. */
  takeBack(): readonly Turn[] {
    return this.#waiting.splice(0);
  }

  /**
   * What this one has not got yet, it does not get. Whoever has asked meanwhile, and was promised what
   * came later, gets it in the place of that.
   */
  takeBackFrom(reader: Waiter): Event | undefined {
    const at = this.#waiting.findIndex((turn) => turn.reader === reader);
    let event = this.#waiting.splice(at, at === -1 ? 0 : 1)[0]?.event;
    if (event === undefined || !this.isForEveryone) return event;
    for (const turn of this.#waiting) {
      if (!turn.reader.ids.has(event.subscription ?? '')) continue;
      if (this.#positionOf(turn.event) > this.#positionOf(event)) {
        [turn.event, event] = [event, turn.event];
      }
    }
    return event;
  }

  /** Whose turn it is: of all that wait, the event that arrived first. */
  #next(): number {
    if (!this.isForEveryone) return 0;
    const positions = this.#waiting.map(({ event }) => this.#positionOf(event));
    return positions.indexOf(Math.min(...positions));
  }

  async #take(): Promise<void> {
    this.#isTaking = true;
    while (this.#waiting.length > 0) {
      await this.#going.rest(this.isForEveryone);
      const [turn] = this.#waiting.splice(this.#next(), 1);
      this.#going.wake();
      turn?.reader.goOn(turn.event);
    }
    this.#isTaking = false;
  }
}

// Hands events to the code that reads them, one at a time.
//
// Between the moment in which a promise is resolved and that in which the code that waits for it
// goes on, other code of the same workflow task can run. If it continues as new, the event is with
// no run: the code that was to have it never goes on. So while other code may run, an event has its
// turn when nothing goes on any more; and the next one when this holds again. What has not had its
// turn by the time of continue-as-new is for the next run.

import type { Event } from '../events/event.ts';

/** What goes on in the workflow task. */
export interface Going {
  /** Whether only the code that runs goes on. */
  readonly isSingle: boolean;
  /** Code is to go on with an event. Whether nothing else does, or will, before it has come to rest. */
  wake(): boolean;
  /** Returns when nothing goes on any more. */
  rest(): Promise<void>;
}

/** Who goes on with an event. */
export interface Reader {
  goOn(event: Event): void;
}

interface Turn {
  readonly event: Event;
  readonly reader: Reader;
}

export class Turns {
  readonly #going: Going;
  readonly #waiting: Turn[] = [];
  #haveBegun = false;
  #isTaking = false;

  constructor(going: Going) {
    this.#going = going;
  }

  /** What has not been handed over yet, oldest first. */
  get events(): readonly Event[] {
    return this.#waiting.map(({ event }) => event);
  }

  /** In the histories of older code, events are handed over at once. */
  get haveBegun(): boolean {
    return this.#haveBegun;
  }

  begin(): void {
    this.#haveBegun = true;
  }

  /** Whether code that runs need not wait for its turn. */
  get areOver(): boolean {
    return !this.#haveBegun || (this.#going.isSingle && this.#waiting.length === 0);
  }

  /** Wakes the reader with the event, when its turn has come. */
  wake(reader: Reader, event: Event): void {
    const isSingle = this.#going.wake() && this.#waiting.length === 0;
    if (!this.#haveBegun || isSingle) reader.goOn(event);
    else this.queue(reader, event);
  }

  /** Lets the reader go on with the event when its turn has come. */
  queue(reader: Reader, event: Event): void {
    this.#waiting.push({ event, reader });
    if (!this.#isTaking) void this.#take();
  }

  /** Nobody gets any of these. */
  takeBack(): readonly Event[] {
    return this.#waiting.splice(0).map(({ event }) => event);
  }

  /** What this one has not got yet, it does not get. */
  takeBackFrom(reader: Reader): Event | undefined {
    const at = this.#waiting.findIndex((turn) => turn.reader === reader);
    return at === -1 ? undefined : this.#waiting.splice(at, 1)[0]?.event;
  }

  async #take(): Promise<void> {
    this.#isTaking = true;
    while (this.#waiting.length > 0) {
      await this.#going.rest();
      const turn = this.#waiting.shift();
      this.#going.wake();
      turn?.reader.goOn(turn.event);
    }
    this.#isTaking = false;
  }
}

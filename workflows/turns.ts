// Hands events to the code that reads them, one at a time.
//
// Between the moment in which a promise is resolved and that in which the code that waits for it
// goes on, other code of the same workflow task runs. If it continues as new, the event is with no
// run: the code that was to have it never goes on. So an event has its turn when all that came with
// it has come to rest, and what that has woken, too; and the next one when this holds again. What
// has not had its turn by the time of continue-as-new is for the next run.

import type { Event } from '../events/event.ts';

/** Who goes on with an event. */
export interface Reader {
  goOn(event: Event): void;
}

interface Turn {
  readonly event: Event;
  readonly reader: Reader;
}

export class Turns {
  readonly #rest: () => Promise<void>;
  readonly #waiting: Turn[] = [];
  #haveBegun = false;
  #isTaking = false;

  /** @param rest - returns when nothing goes on any more */
  constructor(rest: () => Promise<void>) {
    this.#rest = rest;
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

  /** Lets the reader go on with the event when its turn has come. */
  give(event: Event, reader: Reader): void {
    if (!this.#haveBegun) {
      reader.goOn(event);
      return;
    }
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
      await this.#rest();
      const turn = this.#waiting.shift();
      turn?.reader.goOn(turn.event);
    }
    this.#isTaking = false;
  }
}

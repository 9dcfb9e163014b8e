// The client: it posts an event with an id of its own to any ingress, and tries again, with the
// same id, until an ingress has acknowledged it.

import { now, sleep } from './clock.ts';
import type { Body, SourceName } from './filters.ts';
import type { Random } from './random.ts';
import type { PostedEvent } from './records.ts';

/** Between attempts; each time twice as long. */
const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 2_000;

/** How long an answer is waited for: longer than an ingress needs for anything but a stop. */
const ANSWER_MS_MIN = 4_000;
const ANSWER_MS_MAX = 9_000;

/** How many of the events are sent once more though they were acknowledged, and how long after. */
const AGAIN = 0.1;
const AGAIN_MS_MAX = 1_000;

/** How many events are on their way at once. */
const IN_FLIGHT_MAX = 64;

interface Answer {
  readonly queued: boolean;
}

export class Sender {
  readonly #urls: () => readonly string[];
  readonly #random: Random;
  readonly #events: PostedEvent[] = [];
  readonly #waiting: Array<() => void> = [];
  #inFlight = 0;
  #ids = 0;

  /** Gives the addresses of the ingresses that are thought to be up. */
  constructor(urls: () => readonly string[], random: Random) {
    this.#urls = urls;
    this.#random = random;
  }

  /** Every event that was posted, with what became of it. */
  get events(): readonly PostedEvent[] {
    return this.#events;
  }

  /** Returns when there is room for one more event. */
  async untilRoom(): Promise<void> {
    while (this.#inFlight >= IN_FLIGHT_MAX) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Returns once it is acknowledged. `postedAt` is before the first request of it. */
  async post(source: SourceName, body: Body): Promise<PostedEvent> {
    this.#ids += 1;
    const id = `e${this.#ids}`;
    const postedAt = now();
    const place = this.#events.push({ id, source, body, postedAt, attempts: 0, queued: false }) - 1;
    this.#inFlight += 1;
    try {
      for (let attempts = 1; ; attempts += 1) {
        const posted = { id, source, body, postedAt, attempts };
        this.#events[place] = { ...posted, queued: false };
        const answer = await this.#attempt(id, source, body);
        if (answer) {
          const acknowledged = { ...posted, acknowledgedAt: answer.at, queued: answer.queued };
          this.#events[place] = acknowledged;
          if (this.#random.next() < AGAIN) await this.#sendAgain(acknowledged, place);
          return acknowledged;
        }
        const backoffMs = Math.min(BACKOFF_MS_MIN * 2 ** (attempts - 1), BACKOFF_MS_MAX);
        await sleep(backoffMs * this.#random.between(0.5, 1));
      }
    } finally {
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** As a sender does that has not seen the answer. */
  async #sendAgain(event: PostedEvent, place: number): Promise<void> {
    this.#events[place] = { ...event, attempts: event.attempts + 1 };
    await sleep(this.#random.between(0, AGAIN_MS_MAX));
    await this.#attempt(event.id, event.source, event.body);
  }

  async #attempt(
    id: string,
    source: SourceName,
    body: Body,
  ): Promise<{ at: number; queued: boolean } | undefined> {
    const [first, ...others] = this.#urls();
    if (first === undefined) return undefined;
    const url = this.#random.pick([first, ...others]);
    const response = await fetch(`${url}/webhooks/${source}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': id },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(
        ANSWER_MS_MIN + this.#random.below(ANSWER_MS_MAX - ANSWER_MS_MIN),
      ),
    }).catch(() => undefined);
    if (response === undefined) return undefined;
    const at = now();
    const text = await response.text().catch(() => '');
    if (response.status === 202) return { at, queued: isQueued(text) };
    if (response.status >= 500 || response.status === 429) return undefined;
    throw new Error(`${id} was refused with ${response.status}: ${text}`);
  }
}

/** Of an answer whose end was cut off it is not known: then nothing may rest on it. */
function isQueued(text: string): boolean {
  try {
    return (JSON.parse(text) as Partial<Answer>).queued === true;
  } catch {
    return true;
  }
}

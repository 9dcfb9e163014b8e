// Deliveries in the form in which a run leaves them to the next: thousands have to fit.

import type { Delivery } from '../events/listener.ts';
import type { PackedDelivery } from './listener-records.ts';

/** Texts that come again and again, by their number. */
export class Texts {
  readonly #numbers: Map<string, number>;
  readonly #texts: string[];

  constructor(texts: readonly string[] = []) {
    this.#texts = [...texts];
    this.#numbers = new Map(texts.map((text, number) => [text, number]));
  }

  get all(): readonly string[] {
    return this.#texts;
  }

  numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#texts.length);
    return this.#texts.push(text) - 1;
  }

  at(number: number): string {
    return this.#texts[number] ?? '';
  }
}

/** The activity that makes an attempt, counted from 1, and so the name of its record. */
export function attemptId(number: number, attempt: number): string {
  return `${number}/${attempt}`;
}

export function pack(delivery: Delivery, texts: Texts): PackedDelivery {
  const { number, eventId, status, redeliveryOf } = delivery;
  const [source, type, message] = [delivery.source, delivery.type, delivery.message].map((text) =>
    texts.numberOf(text),
  ) as [number, number, number];
  const runs = delivery.attempts.map(({ runId }) => texts.numberOf(runId));
  return {
    d: [number, eventId, source, type, message, Date.parse(delivery.createdAt)],
    t: Date.parse(delivery.resolvedAt ?? delivery.nextAttemptAt ?? delivery.createdAt),
    ...(status !== 'pending' && { s: status }),
    ...(runs.length > 0 && { a: runs }),
    ...(redeliveryOf !== undefined && { r: redeliveryOf }),
  };
}

export function unpack({ d, t, s, a = [], r }: PackedDelivery, texts: Texts): Delivery {
  const [number, eventId, source, type, message, createdAtMs] = d;
  const attempts = a.map((run, index) => ({
    runId: texts.at(run),
    activityId: attemptId(number, index + 1),
  }));
  return {
    number,
    eventId,
    source: texts.at(source),
    type: texts.at(type),
    status: s ?? 'pending',
    message: texts.at(message),
    createdAt: toTime(createdAtMs),
    ...(s === undefined ? { nextAttemptAt: toTime(t) } : { resolvedAt: toTime(t) }),
    attempts,
    ...(r !== undefined && { redeliveryOf: r }),
  };
}

/** RFC 3339. */
export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

// Deliveries in the form in which a run leaves them to the next: thousands have to fit.

import type { Delivery } from '../events/listener.ts';
import type { Pending } from './listener-pending.ts';
import type { CarriedListener, PackedDelivery } from './listener-records.ts';

type PackedDeliveries = Pick<CarriedListener, 'pending' | 'resolved' | 'events' | 'texts'>;

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

/** What is pending, and what is not any more. */
export function packAll(
  pending: readonly Pending[],
  resolved: readonly Delivery[],
): PackedDeliveries {
  const texts = new Texts();
  return {
    pending: pending.map(({ delivery, dueAt }) => ({ ...pack(delivery, texts), t: dueAt })),
    resolved: resolved.map((delivery) => pack(delivery, texts)),
    events: pending.flatMap(({ delivery, event }) =>
      event ? [[delivery.number, event] as const] : [],
    ),
    texts: texts.all,
  };
}

/** The same again. Nothing is on its way when a run begins. */
export function unpackAll(packed: PackedDeliveries) {
  const texts = new Texts(packed.texts);
  const events = new Map(packed.events);
  const pending = packed.pending.map((one): Pending => {
    const delivery = unpack(one, texts);
    return { delivery, dueAt: one.t, event: events.get(delivery.number), phase: 'waiting' };
  });
  return { pending, resolved: packed.resolved.map((one) => unpack(one, texts)) };
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

function unpack({ d, t, s, a = [], r }: PackedDelivery, texts: Texts): Delivery {
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

// What the management API says of listeners, their deliveries and attempts, and what it is told.

import { z } from 'zod';

import type { ListenerDescription, ListenerSummary } from '../dispatch/listener-client.ts';
import type { AttemptRecord, Delivery } from '../events/listener.ts';
import { API_BASE } from './openapi.ts';

const count = z.int().min(0);

/** What names a listener in paths and in workflow ids. */
const LISTENER_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const LISTENER_ID_LENGTH_MAX = 200;

const headerValue = z
  .union([z.string(), z.object({ secret: z.string(), prefix: z.string().optional() })])
  .describe('A text, or the name of the secret that it is, after a prefix such as `Bearer `.');

const signingKey = z.object({
  secret: z.string().describe('The name of a secret.'),
  until: z.iso.datetime().optional().describe('When it ceases to sign.'),
});

const settings = {
  name: z.string().describe('What its id begins with.'),
  type: z.string().describe('The transport: `webhook`, `noop`, `amqp` ...'),
  sources: z.array(z.string()).readonly(),
  filter: z.string().describe('A CEL expression; empty: every event.'),
  url: z.string(),
  method: z.string(),
  headers: z.record(z.string(), headerValue).readonly(),
  dialect: z.string().describe('What a body is made like: `cloudevents`, `json` ...'),
  signing: z.array(signingKey).readonly().describe('All that are not over sign.'),
  owner: z.string().optional().describe('Whose it is.'),
  description: z.string().optional(),
  ordered: z.boolean().describe('One event after the other.'),
  concurrency: count.describe('How many requests at once, at the most.'),
  ratePerSecond: z.number().optional().describe('How many in a second, at the most.'),
  timeoutMs: z.number().describe('For one attempt.'),
  retryMs: z.array(z.number()).readonly().describe('How long after an attempt the next follows.'),
  failuresMax: count.describe('So many deliveries that failed in a row deactivate it.'),
};

/** A listener, as answers have it. */
export const listenerSchema = z
  .object({
    id: z.string(),
    path: z.string().describe('Where it is.'),
    ...settings,
    status: z.enum(['active', 'inactive', 'removed']),
    statusMessage: z.string().describe('`Active`, or why it is not.'),
    createdAt: z.iso.datetime(),
    isStatic: z.boolean().describe('It is one of the configuration.'),
    deliveries: count.nullable().describe('How many there have been. Null: no answer.'),
    pending: count.nullable().describe('How many of them go on. Null: no answer.'),
    failuresInRow: count
      .nullable()
      .describe('How many have failed since one succeeded. Null: no answer.'),
  })
  .meta({ id: 'Listener' });

/** What is known of all listeners that are listed: they are not asked. */
export const listedListenerSchema = listenerSchema
  .omit({ deliveries: true, pending: true, failuresInRow: true })
  .meta({ id: 'ListedListener' });

const headers = z.record(z.string(), z.string()).readonly();

/** An attempt, as answers have it. Secrets are `***` in it. */
export const attemptSchema = z
  .object({
    number: z.int().min(1),
    path: z.string().describe('Where it is.'),
    isSuccessful: z.boolean(),
    message: z.string().describe('`200 OK`, `404 Not Found`, or why there was no answer.'),
    startedAt: z.iso.datetime(),
    durationMs: z.number(),
    reason: z.enum(['event', 'retry', 'manual']),
    request: z.object({
      url: z.string(),
      method: z.string(),
      headers,
      body: z.string(),
      isCut: z.literal(true).optional().describe('The body is longer than this.'),
    }),
    response: z
      .object({
        status: z.int(),
        headers,
        body: z.string(),
        isCut: z.literal(true).optional().describe('The body is longer than this.'),
      })
      .optional()
      .describe('None if there was no answer.'),
  })
  .meta({ id: 'Attempt' });

/** A delivery, as answers have it. */
export const deliverySchema = z
  .object({
    number: z.int().min(1),
    path: z.string().describe('Where it is.'),
    listener: z.string(),
    eventId: z.string(),
    source: z.string(),
    type: z.string(),
    status: z.enum(['pending', 'successful', 'failed', 'skipped']),
    message: z.string().describe('Of the last attempt, or why there was none.'),
    createdAt: z.iso.datetime(),
    resolvedAt: z.iso.datetime().optional(),
    nextAttemptAt: z.iso.datetime().optional(),
    attempts: z
      .array(z.object({ path: z.string(), runId: z.string(), activityId: z.string() }))
      .describe('Oldest first, with where Temporal has them.'),
    redeliveryOf: z.int().min(1).optional().describe('The delivery that it repeats.'),
  })
  .meta({ id: 'Delivery' });

/** What is said of a listener: all of it is optional, and checked where it is understood. */
export const givenListenerSchema = z
  .looseObject({
    ...z.object(settings).omit({ sources: true, signing: true, headers: true }).partial().shape,
    source: z.string().optional().describe('One source.'),
    sources: z.array(z.string()).optional().describe('Several; without any, all of them.'),
    events: z.array(z.string()).optional().describe('Types of events: `order.paid`, `order.*`.'),
    headers: z.record(z.string(), headerValue).optional(),
    signing: z
      .union([z.string(), z.array(z.union([z.string(), signingKey]))])
      .optional()
      .describe('The names of the secrets that sign.'),
    callback: z.looseObject({}).optional().describe('All of this, once more: it may be in here.'),
  })
  .meta({ id: 'GivenListener' });

export const listenerParams = z.object({ id: z.string() });
export const deliveryParams = listenerParams.extend({ number: placeInPath() });
export const attemptParams = deliveryParams.extend({ attempt: placeInPath() });

/** The id that a new listener is to have. */
export const listenerId = z
  .string()
  .max(LISTENER_ID_LENGTH_MAX)
  .regex(LISTENER_ID, 'must be letters, digits and ._:- and begin with a letter or a digit');

export function toListener(listener: ListenerDescription): z.input<typeof listenerSchema> {
  const { deliveries, pending, failuresInRow } = listener;
  return { ...toListed(listener), deliveries, pending, failuresInRow };
}

export function toListed({
  definition,
  ...listener
}: ListenerSummary): z.input<typeof listedListenerSchema> {
  const { id, status, statusMessage, createdAt, isStatic } = listener;
  const path = pathOf(id);
  return { ...definition, id, path, status, statusMessage, createdAt, isStatic };
}

export function toDelivery(listener: string, delivery: Delivery): z.input<typeof deliverySchema> {
  const path = pathOf(listener, delivery.number);
  const attempts = delivery.attempts.map((attempt, index) => ({
    path: `${path}/attempts/${index + 1}`,
    ...attempt,
  }));
  return { ...delivery, listener, path, attempts };
}

/** Where an attempt is. */
export interface AttemptPlace {
  readonly id: string;
  readonly number: number;
  readonly attempt: number;
}

export function toAttempt(
  { id, number, attempt }: AttemptPlace,
  record: AttemptRecord,
): z.input<typeof attemptSchema> {
  return { ...record, number: attempt, path: `${pathOf(id, number)}/attempts/${attempt}` };
}

function pathOf(listener: string, delivery?: number): string {
  const path = `${API_BASE}/listeners/${encodeURIComponent(listener)}`;
  return delivery === undefined ? path : `${path}/deliveries/${delivery}`;
}

/** There is nothing at any other place, and 404 says so. */
function placeInPath() {
  return z.preprocess(
    (text) => (typeof text === 'string' && /^[1-9]\d*$/.test(text) ? Number(text) : text),
    z.int('must be a whole number from 1').min(1).max(Number.MAX_SAFE_INTEGER),
  );
}

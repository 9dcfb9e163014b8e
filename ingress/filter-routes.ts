// The routes that answer why a filter does or does not match.

import { z } from 'zod';

import { explainFilter } from '../events/filter-explain.ts';
import { checkFilter, EventFormError, toTriedEvent } from '../events/filter-report.ts';
import { FilterError } from '../events/filter.ts';
import { defineRoute, type ApiRoute } from './api-route.ts';
import { RequestError } from './sources/source.ts';

const place = z.int().min(1);

const report = z
  .union([
    z.object({
      valid: z.literal(true),
      indexed: z.boolean().describe('Whether it is looked up by a value of the event.'),
      indexedBy: z
        .array(z.string())
        .readonly()
        .describe('What it can be looked up by: `data.order.id`.'),
    }),
    z.object({
      valid: z.literal(false),
      error: z.string(),
      line: place.optional(),
      column: place.optional(),
      suggestion: z.string().optional().describe('What was probably meant.'),
    }),
  ])
  .meta({ id: 'FilterReport' });

const explanation = z
  .object({
    matched: z.boolean(),
    error: z.string().optional().describe('Why it could not be evaluated as a whole.'),
    reasons: z.array(
      z.object({
        part: z.string().describe('The part as it was written, shortened.'),
        position: z.object({ line: place, column: place }),
        result: z.enum(['true', 'false', 'error']),
        why: z.string().describe('The values behind it.'),
      }),
    ),
  })
  .meta({ id: 'Explanation' });

/** `z.unknown()` would be said to be optional. */
const jsonValue = z.union([
  z.null(),
  z.boolean(),
  z.number(),
  z.string(),
  z.array(z.unknown()),
  z.record(z.string(), z.unknown()),
]);

const filter = z.string().describe('A CEL expression; empty: every event.');

/** `POST /filters/check` and `POST /filters/test`. */
export function filterRoutes(): readonly ApiRoute[] {
  return [
    defineRoute({
      method: 'post',
      path: '/filters/check',
      summary: 'Whether a text is a filter, and how an event finds it.',
      role: 'reader',
      body: z.object({ filter }),
      answer: report,
      run: ({ body }) => checkFilter(body.filter),
    }),
    defineRoute({
      method: 'post',
      path: '/filters/test',
      summary: 'Whether a filter matches an event and, if not, why.',
      role: 'reader',
      body: z.object({
        filter,
        event: z
          .looseObject({ type: z.string(), data: jsonValue })
          .describe('As it is stored, or no more than its type and data.'),
      }),
      answer: explanation,
      run: ({ body }) => testFilter(body.filter, body.event),
    }),
  ];
}

function testFilter(text: string, event: unknown): z.input<typeof explanation> {
  try {
    const { reasons, ...rest } = explainFilter(text, toTriedEvent(event));
    return { ...rest, reasons: [...reasons] };
  } catch (error) {
    if (!(error instanceof FilterError || error instanceof EventFormError)) throw error;
    throw new RequestError(error.message, { cause: error });
  }
}

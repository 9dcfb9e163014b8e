// The route by which operators see what was refused.

import { z } from 'zod';

import { defineRoute, wholeNumber, type ApiRoute } from './api-route.ts';
import { REJECTION_REASONS } from './rejections.ts';
import type { Telemetry } from './telemetry.ts';

/** How many rejections one answer lists, if nothing else is asked for, and at the most. */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const rejectionSchema = z
  .object({
    at: z.iso.datetime(),
    source: z.string().nullable().describe('Null: there is no such source.'),
    reason: z.enum(REJECTION_REASONS),
    status: z.int().describe('The status of the answer.'),
    remoteAddress: z.string().nullable().describe('Null: the client had gone.'),
    requestId: z.string(),
  })
  .meta({ id: 'Rejection' });

/** `GET /rejections` */
export function rejectionRoutes({
  rejections,
}: Pick<Telemetry, 'rejections'>): readonly ApiRoute[] {
  return [
    defineRoute({
      method: 'get',
      path: '/rejections',
      summary: 'The last requests that this ingress refused, newest first.',
      role: 'reader',
      query: z.strictObject({
        // It may be one that is no longer configured.
        source: z.string().optional().describe('Only to this source.'),
        limit: wholeNumber(1, LIMIT_MAX).default(LIMIT_DEFAULT).describe('How many at the most.'),
      }),
      answer: z.object({ rejections: z.array(rejectionSchema) }),
      run: ({ query }) => ({ rejections: [...rejections.list(query)] }),
    }),
  ];
}

// The part of the management API that answers why a filter does or does not match.

import { Router, type Request } from 'express';

import { explainFilter } from '../events/filter-explain.ts';
import { checkFilter, EventFormError, toTriedEvent } from '../events/filter-report.ts';
import { FilterError } from '../events/filter.ts';
import { readBody } from './body.ts';
import { RequestError } from './sources/source.ts';

/** `POST /filters/check` `{ filter }` and `POST /filters/test` `{ filter, event }`. */
export function answerFilters(): Router {
  const router = Router({ caseSensitive: true });
  router.post('/filters/check', async (request, response) => {
    const { filter } = await questionIn(request);
    response.json(checkFilter(filter));
  });
  router.post('/filters/test', async (request, response) => {
    const { filter, event } = await questionIn(request);
    response.json(testFilter(filter, event));
  });
  return router;
}

interface Question {
  readonly filter: string;
  readonly event?: unknown;
}

async function questionIn(request: Request): Promise<Question> {
  const question = toJson(Buffer.from(await readBody(request)).toString());
  if (typeof question !== 'object' || question === null || !hasFilter(question)) {
    throw new RequestError('the body is a JSON object with a filter: { "filter": "..." }');
  }
  const { filter } = question;
  if (typeof filter !== 'string') throw new RequestError('filter is not a text');
  return { ...question, filter };
}

/** Arrays have a `filter`, too. */
function hasFilter(question: object): question is { filter: unknown } {
  return Object.hasOwn(question, 'filter');
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError('the body is not JSON', { cause: error });
  }
}

function testFilter(filter: string, event: unknown) {
  try {
    return explainFilter(filter, toTriedEvent(event));
  } catch (error) {
    if (!(error instanceof FilterError || error instanceof EventFormError)) throw error;
    throw new RequestError(error.message, { cause: error });
  }
}

// A route of the management API. One definition validates what is asked, shapes what is answered,
// and is what the OpenAPI document says of it.

import type { Request } from 'express';
import { z } from 'zod';

import { readBody } from './body.ts';
import { parseJson } from './json.ts';
import { MediaTypeError } from './problems.ts';
import { RequestError } from './sources/source.ts';

const JSON_TYPE = /^application\/json\s*(?:;|$)/i;

const NOTHING = z.strictObject({});

/** What a route is defined by. */
export interface RouteOptions<
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answer extends z.ZodType,
  Params extends z.ZodObject = typeof NOTHING,
> {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** Below `/api/v1`, with a parameter as `{id}`. */
  readonly path: string;
  /** What it is for, in a sentence. */
  readonly summary: string;
  /** Who may ask, where there are keys. */
  readonly role: 'reader' | 'admin';
  /** @default none in the path */
  readonly params?: Params;
  /** @default no parameters */
  readonly query?: Query;
  /** @default no body */
  readonly body?: Body;
  readonly answer: Answer;
  /**
   * The status of the answer.
   *
   * @default 200
   */
  readonly status?: 200 | 201;
  /** When the answer is one of these statuses, beside those that all routes have. */
  readonly problems?: Readonly<Record<number, string>>;
  readonly run: (asked: {
    readonly params: z.output<Params>;
    readonly query: z.output<Query>;
    readonly body: z.output<Body>;
  }) => z.input<Answer> | Promise<z.input<Answer>>;
}

/** A route, whatever its types. */
export interface ApiRoute extends Pick<
  RouteOptions<z.ZodObject, z.ZodType, z.ZodType>,
  'method' | 'path' | 'summary' | 'role' | 'answer' | 'problems'
> {
  readonly status: number;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | undefined;
  /**
   * The answer to a request.
   *
   * @throws RequestError if what is asked is not what the route takes
   */
  respond(request: Request): Promise<unknown>;
}

/**
 * Defines a route.
 *
 * @example
 * defineRoute({
 *   method: 'get',
 *   path: '/version',
 *   summary: 'Which version this is.',
 *   role: 'reader',
 *   answer: z.object({ version: z.string() }),
 *   run: () => ({ version: '1' }),
 * });
 */
export function defineRoute<
  Query extends z.ZodObject = typeof NOTHING,
  Body extends z.ZodType = z.ZodUndefined,
  Answer extends z.ZodType = z.ZodType,
  Params extends z.ZodObject = typeof NOTHING,
>(options: RouteOptions<Query, Body, Answer, Params>): ApiRoute {
  const { query: querySchema, params: paramsSchema, body: bodySchema, run, ...rest } = options;
  const { answer, status = 200 } = rest;
  const query = querySchema ?? NOTHING;
  const params = paramsSchema ?? NOTHING;
  return {
    ...rest,
    status,
    params,
    query,
    body: bodySchema,
    async respond(request) {
      const asked = {
        params: check(params, request.params, 'the path') as z.output<Params>,
        query: check(query, request.query, 'the query') as z.output<Query>,
        body: (bodySchema &&
          check(bodySchema, await jsonOf(request), 'the body')) as z.output<Body>,
      };
      return answer.parse(await run(asked));
    },
  };
}

/** A parameter that is a whole number. */
export function wholeNumber(least: number, most: number) {
  const wrong = `must be a whole number from ${least} to ${most}`;
  return z.preprocess(
    (text) => (typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : text),
    z.int(wrong).min(least, wrong).max(most, wrong),
  );
}

function check<T extends z.ZodType>(schema: T, given: unknown, whole: string): z.output<T> {
  const { data, error } = schema.safeParse(given);
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw new RequestError(`${issue?.path.join('.') || whole}: ${issue?.message ?? 'is wrong'}`);
}

async function jsonOf(request: Request): Promise<unknown> {
  if (!JSON_TYPE.test(request.headers['content-type'] ?? '')) {
    throw new MediaTypeError('the body is sent as application/json', 'application/json');
  }
  return parseJson(await readBody(request), 'the body');
}

// The OpenAPI document of the management API, made of its routes.

import {
  OpenAPIRegistry,
  OpenApiGeneratorV31,
  type ResponseConfig,
} from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';

import type { ApiRoute } from './api-route.ts';

/** Where the routes of this version are. */
export const API_BASE = '/api/v1';

const KEY_SCHEME = 'apiKey';

const problemSchema = z
  .object({
    status: z.int().describe('The status of the answer.'),
    title: z.string().describe('What is wrong, the same for every such problem.'),
    detail: z.string().optional().describe('What is wrong here.'),
    requestId: z.string().describe('The id of the request, as in `X-Request-Id`.'),
  })
  .describe('Problem details of RFC 9457.')
  .meta({ id: 'Problem' });

/** What the document says beside the routes. */
export interface DocumentOptions {
  /** Whether a key is needed. */
  readonly hasKeys: boolean;
}

/** The document, of OpenAPI 3.1. */
export function createDocument(routes: readonly ApiRoute[], { hasKeys }: DocumentOptions) {
  const registry = new OpenAPIRegistry();
  if (hasKeys) {
    registry.registerComponent('securitySchemes', KEY_SCHEME, {
      type: 'http',
      scheme: 'bearer',
      description: 'An API key of role `reader` or `admin`.',
    });
  }
  for (const route of routes) {
    const { method, path, summary, role, params, query, body } = route;
    registry.registerPath({
      method,
      path: API_BASE + path,
      summary,
      operationId: toOperationId(route),
      ...(hasKeys && { security: [{ [KEY_SCHEME]: [] }], description: `For role \`${role}\`.` }),
      request: {
        params,
        query,
        ...(body && {
          body: { required: true, content: { 'application/json': { schema: body } } },
        }),
      },
      responses: toResponses(route, hasKeys),
    });
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'nextevent management API',
      version: '1',
      description:
        'What operators ask of an ingress: its sources, who waits for what, and its listeners.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
  });
}

function toResponses(route: ApiRoute, hasKeys: boolean): Record<string, ResponseConfig> {
  const { answer, status: success, problems = {}, body } = route;
  const told: Record<number, string> = {
    400: 'What is asked is not what is taken here.',
    ...(body && { 413: 'The body is too large.', 415: 'The body is of another type.' }),
    403: hasKeys ? 'The API key is not for this.' : 'The host that is named is not this machine.',
    ...(hasKeys && {
      401: 'There is no valid API key with the request.',
      429: 'There were too many requests with the key.',
    }),
    500: 'A fault of the ingress.',
    ...problems,
  };
  const content = { 'application/problem+json': { schema: problemSchema } };
  return {
    [success]: { description: 'The answer.', content: { 'application/json': { schema: answer } } },
    ...Object.fromEntries(
      Object.entries(told).map(([status, description]) => [status, { description, content }]),
    ),
  };
}

/** `getSources`, `postFiltersCheck`, `getListenersId`. */
function toOperationId({ method, path }: ApiRoute): string {
  return path
    .replaceAll(/[{}]/g, '')
    .replaceAll(/[/.-]+(\w)/g, (_all, first: string) => first.toUpperCase())
    .replace(/^/, method);
}

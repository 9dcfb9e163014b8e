import { isObject, toContent } from './content.ts';
import type { HandlerRequest } from './handler.ts';
import { RequestError } from './source.ts';

/** How many things that are wrong with a body its sender is told. */
const ISSUES_MAX = 5;

/** A schema by [Standard Schema](https://standardschema.dev): one of zod, valibot, arktype ... */
export interface BodySchema<Body> {
  readonly '~standard': {
    validate(value: unknown): SchemaResult<Body> | Promise<SchemaResult<Body>>;
  };
}

type SchemaResult<Body> =
  | { readonly value: Body; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/**
 * The body of a request, JSON or the fields of a form, as a schema has it.
 *
 * @throws RequestError if it is empty, malformed, or not what the schema wants: the sender gets 400
 *
 * @example
 * const Order = z.object({ id: z.string(), total: z.number() });
 *
 * const orders = webhook({
 *   verify: 'none',
 *   async handler(request) {
 *     const order = await parseBody(request, Order);
 *     return { kind: 'event', id: order.id, result: order };
 *   },
 * });
 */
export async function parseBody<Body>(
  { headers, rawBody: body }: Pick<HandlerRequest, 'headers' | 'rawBody'>,
  schema: BodySchema<Body>,
): Promise<Body> {
  const result = await schema['~standard'].validate(toContent({ headers, body }));
  if (result.issues === undefined) return result.value;
  const said = result.issues.slice(0, ISSUES_MAX).map(describe).join('; ');
  throw new RequestError(`the body is not as it must be: ${said}`);
}

function describe({ path = [], message }: SchemaIssue): string {
  const keys = path.map((key) => String(isObject(key) ? key.key : key));
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
}

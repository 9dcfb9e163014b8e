import { eventHeader, requiredHeader, textAt, toObject } from './content.ts';
import { createSource } from './create-source.ts';
import { hmacScheme } from './hmac-scheme.ts';
import { isUnverified } from './scheme.ts';
import type { SecretOptions, Unverified } from './secret.ts';
import type { SourceEvent } from './source-event.ts';
import { RequestError, type Source, type SourceRequest } from './source.ts';

/** The settings of a Shopify source. */
export type ShopifyOptions = SecretOptions | Unverified;

/** What bodies of a topic are about. Shopify signs the body alone, so the topic must fit it. */
const RESOURCES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    collections: 'Collection',
    customers: 'Customer',
    draft_orders: 'DraftOrder',
    fulfillments: 'Fulfillment',
    orders: 'Order',
    products: 'Product',
    refunds: 'Refund',
  }),
);

/**
 * Webhooks of Shopify.
 *
 * The body is verified by `X-Shopify-Hmac-SHA256`, with the client secret of the app. The event's
 * type is `X-Shopify-Topic` (`orders/create`), its id `X-Shopify-Webhook-Id`, its subject
 * `X-Shopify-Shop-Domain`: no signature is over these. Its data is the body.
 *
 * @throws ConfigError if there is no secret
 *
 * @example
 * const source = shopify({ secret: env('SHOPIFY_CLIENT_SECRET') });
 */
export function shopify(options: ShopifyOptions): Source {
  return createSource({
    kind: 'shopify',
    scheme: isUnverified(options)
      ? undefined
      : hmacScheme(options.secret, {
          kind: 'shopify',
          header: 'x-shopify-hmac-sha256',
          prefix: '',
          digest: { algorithm: 'sha256', encoding: 'base64' },
        }),
    toEvents,
  });
}

function toEvents(request: SourceRequest): readonly SourceEvent[] {
  const type = requiredHeader(request, 'x-shopify-topic');
  const data = toObject(request.body);
  const resource = RESOURCES.get(type.split('/', 1)[0] ?? '');
  const about = textAt(data, 'admin_graphql_api_id');
  if (resource && about !== undefined && !about.startsWith(`gid://shopify/${resource}/`)) {
    throw new RequestError('the body is not about what x-shopify-topic names');
  }
  const id = eventHeader(request, 'x-shopify-webhook-id');
  return [{ type, data, id, subject: eventHeader(request, 'x-shopify-shop-domain') }];
}

// Stripe, Shopify, SendGrid, and senders of Standard Webhooks.

import { NO_HEADERS, toSeconds, type Fresh, type Samples } from './sample.ts';

export const stripe: Samples = {
  headers: NO_HEADERS,
  bodies: {
    'payment_intent.succeeded': (fresh) =>
      stripeEvent(fresh, 'payment_intent.succeeded', {
        id: 'pi_1PgafmB7WZ01zgkWaz7bYZWk',
        object: 'payment_intent',
        amount: 2000,
        currency: 'usd',
        status: 'succeeded',
        metadata: { order: '6735' },
      }),
    'checkout.session.completed': (fresh) =>
      stripeEvent(fresh, 'checkout.session.completed', {
        id: 'cs_test_a11YYufWQzNY63zpQ6QSNRQhkUpVph4WRmzW0zWJO2znZKdVujZ0N0S22u',
        object: 'checkout.session',
        amount_total: 2198,
        currency: 'usd',
        payment_status: 'paid',
        client_reference_id: '6735',
      }),
    'invoice.paid': (fresh) =>
      stripeEvent(fresh, 'invoice.paid', {
        id: 'in_1MtHbELkdIwHu7ixl4OzzPMv',
        object: 'invoice',
        amount_paid: 1000,
        currency: 'usd',
        customer: 'cus_NeZwdNtLEOXuvB',
        status: 'paid',
      }),
  },
};

function stripeEvent({ id, at }: Fresh, type: string, object: unknown): unknown {
  return {
    id,
    object: 'event',
    api_version: '2025-09-30.clover',
    created: toSeconds(at),
    type,
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    data: { object },
  };
}

const order = {
  id: 820982911946154,
  admin_graphql_api_id: 'gid://shopify/Order/820982911946154',
  email: 'jon@example.com',
  name: '#9999',
  currency: 'USD',
  total_price: '404.95',
  line_items: [{ sku: 'SKU2006-001', quantity: 1, price: '199.00', title: 'IPod Nano - 8GB' }],
};

export const shopify: Samples = {
  headers: (type, { id, at }) => ({
    'x-shopify-topic': type,
    'x-shopify-webhook-id': id,
    'x-shopify-shop-domain': 'example.myshopify.com',
    'x-shopify-api-version': '2025-10',
    'x-shopify-triggered-at': at.toISOString(),
  }),
  bodies: {
    'orders/create': ({ at }) => ({ ...order, created_at: at, financial_status: 'voided' }),
    'orders/paid': ({ at }) => ({ ...order, created_at: at, financial_status: 'paid' }),
    'products/update': ({ at }) => ({
      id: 788032119674292,
      admin_graphql_api_id: 'gid://shopify/Product/788032119674292',
      title: 'Example T-Shirt',
      status: 'active',
      updated_at: at,
    }),
  },
};

export const sendgrid: Samples = {
  headers: NO_HEADERS,
  bodies: {
    delivered: (fresh) => [
      mailEvent(fresh, { event: 'delivered', response: '250 OK', suffix: '' }),
    ],
    batch: (fresh) => [
      mailEvent(fresh, { event: 'processed', suffix: '-1' }),
      mailEvent(fresh, { event: 'delivered', response: '250 OK', suffix: '-2' }),
      mailEvent(fresh, { event: 'open', useragent: 'Mozilla/5.0', suffix: '-3' }),
    ],
    bounce: (fresh) => [
      mailEvent(fresh, { event: 'bounce', reason: '500 unknown recipient', suffix: '' }),
    ],
  },
};

function mailEvent(
  { id, at }: Fresh,
  { suffix, ...more }: { readonly suffix: string; readonly [key: string]: string },
): unknown {
  return {
    email: 'example@test.com',
    timestamp: toSeconds(at),
    'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>',
    sg_event_id: `${id}${suffix}`,
    sg_message_id: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
    ...more,
  };
}

export const standardWebhooks: Samples = {
  headers: NO_HEADERS,
  bodies: {
    'user.created': ({ at }) => ({
      type: 'user.created',
      timestamp: at,
      data: { id: 'user_29w83sxmDNGwOuEthce5gg56FcC', first_name: 'Example' },
    }),
    'email.delivered': ({ at }) => ({
      type: 'email.delivered',
      created_at: at,
      data: { email_id: '56761188-7520-42d8-8898-ff6fc54ce618', to: ['delivered@example.com'] },
    }),
    'invoice.paid': ({ at }) => ({
      type: 'invoice.paid',
      timestamp: at,
      data: { id: 'inv_1', amount: 1999, currency: 'EUR' },
    }),
  },
};

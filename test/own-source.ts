// The example of docs/sources.md: a kind of source of one's own.

import { createHmac, timingSafeEqual } from 'node:crypto';

import { defineSource, env } from 'nextevent';

interface Movement {
  readonly id: string;
  readonly kind: string;
  readonly article: string;
}

export const warehouse = defineSource({
  kind: 'warehouse',
  secret: env('WAREHOUSE_SECRET'),
  verify({ headers, body }, secrets) {
    const time = headers['x-warehouse-time'] ?? '';
    const given = Buffer.from(headers['x-warehouse-signature'] ?? '', 'hex');
    const isSigned = secrets.some((secret) => {
      const expected = createHmac('sha256', secret).update(time).update(body).digest();
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
    // When it was signed: the ingress refuses what is too old.
    return isSigned && new Date(time);
  },
  handshake: ({ method }) => (method === 'HEAD' ? { status: 204, body: '' } : undefined),
  toEvents({ body }) {
    const movements = JSON.parse(Buffer.from(body).toString()) as Movement[];
    // Each with an id of its own: a request that is sent again repeats none of them.
    return movements.map((movement) => ({
      type: `stock.${movement.kind}`,
      id: movement.id,
      subject: movement.article,
      data: movement,
    }));
  },
});

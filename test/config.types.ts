// What the compiler checks in a configuration. Checked by `npm run types`, never run.

import { defineConfig, defineSource, webhook, type Event, type EventOf } from '../nextevent.ts';

interface Order {
  readonly total: number;
}

interface ExampleWorkflows {
  approval(order: Event<Order>): Promise<string>;
  anything(event: Event): Promise<void>;
  nothing(): Promise<void>;
  perhaps(event?: Event<Order>): Promise<void>;
  counting(count: number): Promise<void>;
  shipping(event: Event<{ readonly address: string }>): Promise<void>;
  greedy(event: Event, more: string): Promise<void>;
  instant(event: Event): string;
  readonly LIMIT: number;
}

const base = { workflowsPath: './workflows.ts', sources: { orders: webhook({ verify: 'none' }) } };
const trigger = { name: 'on-order', source: 'orders' };

export const accepted = defineConfig<ExampleWorkflows>({
  ...base,
  activities: { charge: async (cents: number) => cents },
  triggers: [
    { ...trigger, workflow: 'approval' },
    { ...trigger, workflow: 'anything', filter: 'data.total > 100', taskQueue: 'other' },
    { ...trigger, workflow: 'nothing' },
    { ...trigger, workflow: 'perhaps' },
    { ...trigger, workflow: 'nothing', workflowId: (event) => event.id },
    { ...trigger, workflow: 'approval', workflowId: (e: Event<Order>) => String(e.data.total) },
  ],
});

export const withoutTheType = defineConfig({
  ...base,
  triggers: [{ ...trigger, workflow: 'whatever' }],
});

export const refused = defineConfig<ExampleWorkflows>({
  ...base,
  triggers: [
    // @ts-expect-error: there is no such workflow
    { ...trigger, workflow: 'aproval' },
    // @ts-expect-error: it takes a number, not an event
    { ...trigger, workflow: 'counting' },
    // @ts-expect-error: it needs an argument that a trigger does not give
    { ...trigger, workflow: 'greedy' },
    // @ts-expect-error: a workflow returns a promise
    { ...trigger, workflow: 'instant' },
    // @ts-expect-error: it is not a function
    { ...trigger, workflow: 'LIMIT' },
    // @ts-expect-error: a trigger has a source
    { name: 'on-order', workflow: 'approval' },
    // @ts-expect-error: the id of a workflow is text
    { ...trigger, workflow: 'approval', workflowId: (event: Event<Order>) => event.data.total },
    // @ts-expect-error: and it is there at once
    { ...trigger, workflow: 'approval', workflowId: async () => 'customer' },
    // @ts-expect-error: the option is called filter
    { ...trigger, workflow: 'approval', filters: 'true' },
  ],
});

// @ts-expect-error: an unverified source says so
export const unverified = webhook({});

export const twoPlaces = webhook({
  verify: 'none',
  // @ts-expect-error: the place is called header or json
  eventId: { query: 'id' },
});

// K-06: a handler's result is of a type, which is that of its events' data.
const placed = webhook({
  verify: 'none',
  handler: async ({ query, body }) => {
    if (query.ask === 'yes') return { kind: 'preflight', response: { body: 'yes' } };
    return { kind: 'event', result: body.json as Order | null };
  },
});
const sources = {
  placed,
  returned: defineSource({
    kind: 'returns',
    verify: () => true,
    handler: ({ rawBody }) => ({ kind: 'event', result: { total: rawBody.length }, id: 'one' }),
  }),
  anything: webhook({
    verify: 'none',
    handler: ({ body }) => ({ kind: 'event', result: body.json }),
  }),
  open: webhook({ verify: 'none' }),
  made: defineSource({ kind: 'made', verify: 'none', toEvents: () => [] }),
};

export function totalOf(event: EventOf<typeof placed>): number {
  return event.data.total;
}

// @ts-expect-error: a result is for an event
export const resultOfNothing: EventOf<typeof placed>['data'] = null;

// K-09: which is what workflows are started with.
export const typed = defineConfig<ExampleWorkflows, typeof sources>({
  workflowsPath: './workflows.ts',
  sources,
  triggers: [
    { name: 'a', source: 'placed', workflow: 'approval' },
    { name: 'b', source: 'returned', workflow: 'approval' },
    {
      name: 'c',
      source: 'placed',
      workflow: 'anything',
      workflowId: ({ data }) => `${data.total}`,
    },
    { name: 'd', source: 'placed', workflow: 'nothing' },
    { name: 'e', source: 'anything', workflow: 'shipping' },
    { name: 'f', source: 'open', workflow: 'shipping' },
    { name: 'g', source: 'made', workflow: 'approval' },
  ],
});

export const mistyped = defineConfig<ExampleWorkflows, typeof sources>({
  workflowsPath: './workflows.ts',
  sources,
  triggers: [
    // @ts-expect-error: the source gives it other data
    { name: 'a', source: 'placed', workflow: 'shipping' },
    // @ts-expect-error: so does this one
    { name: 'b', source: 'returned', workflow: 'shipping' },
    // @ts-expect-error: there is no such source
    { name: 'c', source: 'place', workflow: 'approval' },
    // @ts-expect-error: there is no such data
    { name: 'd', source: 'placed', workflow: 'nothing', workflowId: ({ data }) => data.address },
  ],
});

export const kindless = webhook({
  verify: 'none',
  // @ts-expect-error: a kind is one of two
  handler: () => ({ kind: 'default', result: 1 }),
});

export const silent = webhook({
  verify: 'none',
  // @ts-expect-error: an event has a result
  handler: () => ({ kind: 'event' }),
});

const events = { kind: 'two', verify: 'none', toEvents: () => [] } as const;

// @ts-expect-error: either events or a handler
export const twoWays = defineSource({ ...events, handler: () => ({ kind: 'preflight' }) });

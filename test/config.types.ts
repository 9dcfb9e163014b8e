// What the compiler checks in a configuration. Checked by `npm run types`, never run.

import { defineConfig, webhook, type Event } from '../nextevent.ts';

interface Order {
  readonly total: number;
}

interface ExampleWorkflows {
  approval(order: Event<Order>): Promise<string>;
  anything(event: Event): Promise<void>;
  nothing(): Promise<void>;
  perhaps(event?: Event<Order>): Promise<void>;
  counting(count: number): Promise<void>;
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

// What the routes of listeners need, for a configuration with `outbound`.

import type { Client } from '@temporalio/client';

import type { Config } from '../config/config.ts';
import { createToDefinition } from '../config/to-definition.ts';
import { Deliveries } from '../dispatch/deliveries.ts';
import { DeliveryReader } from '../dispatch/delivery-reading.ts';
import { ListenerClient } from '../dispatch/listener-client.ts';
import type { Listeners } from './listener-routes.ts';

/** Nothing if the configuration has no `outbound`. */
export function createListeners(
  client: Client,
  config: Config,
): { readonly listeners?: Listeners } {
  const toDefinition = createToDefinition(config);
  if (toDefinition === undefined) return {};
  const listeners = new ListenerClient(client, config.taskQueue);
  const reader = new DeliveryReader(client);
  const deliveries = new Deliveries({ client, listeners, reader });
  return { listeners: { client: listeners, deliveries, toDefinition } };
}

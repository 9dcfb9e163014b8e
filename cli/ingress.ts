import { Command } from 'commander';

import { createConfigOption, type ConfigOption } from './config-option.ts';
import { prepareToRun } from './service.ts';

const ENVIRONMENT = `
Environment:
  HOST, PORT  where it listens (127.0.0.1 and 8088)
  MANAGEMENT_HOST, MANAGEMENT_PORT  where the management API does (127.0.0.1, and PORT + 1000);
    at another host it needs keys: nextevent key create --role reader
  NEXTEVENT_KEYS  the file of API keys (nextevent.keys.json beside the configuration)
  INGRESS_METRICS_ADDRESS  where Prometheus finds /metrics, such as 0.0.0.0:9464 (nowhere but on
              the management port)
  TRUST_PROXY how many proxies are before it, or their addresses: they tell who a sender is
  LOG_LEVEL   debug, info, warn or error (info); LOG_FORMAT: json or text (json)
  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and all else by which Temporal's own tools find a server
`;

/** `nextevent ingress` */
export function createIngressCommand(): Command {
  return new Command('ingress')
    .description('run the ingress alone, with a Temporal that runs')
    .addOption(createConfigOption())
    .addHelpText('after', ENVIRONMENT)
    .action(async (options: ConfigOption) => {
      await prepareToRun(options);
      await import('../ingress/main.ts');
    });
}

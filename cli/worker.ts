import { Command } from 'commander';

import { createConfigOption, type ConfigOption } from './config-option.ts';
import { prepareToRun } from './service.ts';

const ENVIRONMENT = `
Environment:
  WORKER_METRICS_ADDRESS  where Prometheus finds /metrics, such as 0.0.0.0:9464 (nowhere)
  LOG_LEVEL   debug, info, warn or error (info); LOG_FORMAT: json or text (json)
  TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and all else by which Temporal's own tools find a server
`;

/** `nextevent worker` */
export function createWorkerCommand(): Command {
  return new Command('worker')
    .description('run the worker alone, with a Temporal that runs')
    .addOption(createConfigOption())
    .addHelpText('after', ENVIRONMENT)
    .action(async (options: ConfigOption) => {
      await prepareToRun(options);
      await import('../worker/main.ts');
    });
}

import { Command } from 'commander';

import { createConfigOption, type ConfigOption } from './config-option.ts';
import { prepareToRun } from './service.ts';
import { createUrlOption } from './url-option.ts';

/** Where an ingress is that nobody has told otherwise. */
const DEFAULT_URL = `http://127.0.0.1:${process.env.PORT || 8088}`;

const EXAMPLES = `
Examples:
  nextevent send github pull_request.opened   a sample, signed with the secret of the configuration
  nextevent send github body.json --type push a body of your own
  nextevent send --list                       all samples for the sources of the configuration
`;

export interface SendOptions extends ConfigOption {
  readonly url: string;
  readonly list?: boolean;
  readonly id?: string;
  readonly type?: string;
  readonly privateKey?: string;
}

/** `nextevent send` */
export function createSendCommand(): Command {
  return new Command('send')
    .description('send an event to a source, signed as its provider would sign it')
    .argument('[source]', 'the name of a source of the configuration')
    .argument('[sample]', 'the name of a sample, or a file with a body; else the first sample')
    .addOption(createConfigOption())
    .option('--list', 'print the names of the samples')
    .option('--id <id>', 'the id of the event, where the provider has one; else a new one')
    .option('--type <type>', "the type of a file's event; else the file's name")
    .addOption(createUrlOption('the ingress', DEFAULT_URL))
    .option('--private-key <file>', 'a private key as PEM, for providers that sign with theirs')
    .addHelpText('after', EXAMPLES)
    .action(send);
}

async function send(
  name: string | undefined,
  content: string | undefined,
  options: SendOptions,
): Promise<void> {
  await prepareToRun(options);
  // Loaded here, so that other commands do not wait for all that it needs.
  const { sendEvent } = await import('./send-event.ts');
  await sendEvent(name, content, options);
}

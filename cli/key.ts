// Keys of applications and operators: made, listed and revoked in the file beside the
// configuration. A running ingress has read the file when it started.

import { basename } from 'node:path';

import { Command, Option } from 'commander';

import {
  createApiKey,
  keysFile,
  loadApiKeys,
  ROLES,
  saveApiKeys,
  type ApiKey,
} from '../config/api-keys.ts';
import { StartError } from '../dev/errors.ts';
import { createConfigOption, useConfig, type ConfigOption } from './config-option.ts';

const ENVIRONMENT = `
Environment:
  NEXTEVENT_KEYS  the file of the keys, if not nextevent.keys.json beside the configuration

The file holds hashes, not keys. An ingress reads it when it starts.
`;

type CreateOptions = ConfigOption & {
  readonly name: string;
  readonly role: ApiKey['role'];
  readonly sources?: string;
};

/** `nextevent key create`, `list` and `revoke` */
export function createKeyCommand(): Command {
  const command = new Command('key')
    .description('make, list and revoke API keys')
    .helpCommand(false);
  const add = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addOption(createConfigOption())
      .addHelpText('after', ENVIRONMENT);
  add('create', 'make a key, and print it this once')
    .requiredOption('--name <name>', 'whose it is')
    .addOption(new Option('--role <role>', 'what it is for').choices(ROLES).makeOptionMandatory())
    .option('--sources <names>', 'what a publisher publishes to, separated by commas')
    .action(create);
  add('list', 'list the keys').action(list);
  add('revoke', 'remove a key').argument('<id>', 'its id, as list prints it').action(revoke);
  return command;
}

function create({ name, role, sources, ...config }: CreateOptions): void {
  useConfig(config);
  const keys = loadApiKeys();
  const names = sources?.split(',').map((source) => source.trim());
  const { key, entry } = createApiKey({ name, role, ...(names && { sources: names }) });
  saveApiKeys([...keys, entry]);
  console.error(
    `its hash is in ${basename(keysFile())}; start the ingress again. The key, this once:`,
  );
  console.log(key);
}

function list(config: ConfigOption): void {
  useConfig(config);
  const rows = loadApiKeys().map(({ id, name, role, sources = [], created }) =>
    [id, role.padEnd('publisher'.length), created, name, sources.join(',')].join('  ').trimEnd(),
  );
  console.log(rows.length === 0 ? 'there are no keys' : rows.join('\n'));
}

function revoke(id: string, config: ConfigOption): void {
  useConfig(config);
  const keys = loadApiKeys();
  const left = keys.filter((key) => key.id !== id);
  if (left.length === keys.length) throw new StartError(`there is no key ${id}`);
  saveApiKeys(left);
  console.log(`${id} is revoked: start the ingress again, and it is refused`);
}

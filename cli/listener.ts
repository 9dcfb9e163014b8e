import { Command, Option } from 'commander';

import { StartError } from '../dev/errors.ts';
import type { HeaderValue, ListenerDefinition, ListenerStatus } from '../events/listener.ts';
import { ask, toTable, withApi, type ApiOptions } from './management.ts';

/** How many listeners one request asks for. */
const PAGE = 500;

/** Filters and addresses are printed up to here, in characters. */
const CELL_LENGTH_MAX = 60;

const HEAD = ['id', 'status', 'sources', 'filter', 'to', 'owner'];

const EXAMPLES = `
Examples:
  nextevent listener add https://crm.example/hooks --source orders
  nextevent listener add https://crm.example/hooks --source orders --event order.paid \\
    --header 'authorization: Bearer {secret:CRM_TOKEN}' --signing CRM_KEY

A secret is one that the configuration names in \`outbound.secrets\`: its value is never told.
`;

/** What a listener of workflows and activities will be given as: not an address, but what of which. */
const LIFECYCLE = new Set(['task', 'execution']);

interface DefinitionOptions extends ApiOptions {
  readonly id?: string;
  readonly name?: string;
  readonly to?: string;
  readonly source?: readonly string[];
  readonly filter?: string;
  readonly event?: readonly string[];
  readonly method?: string;
  readonly type?: string;
  readonly dialect?: string;
  readonly header?: readonly string[];
  readonly signing?: readonly string[];
  readonly owner?: string;
  readonly description?: string;
  readonly ordered?: boolean;
  readonly concurrency?: string;
  readonly ratePerSecond?: string;
  readonly timeoutMs?: string;
  readonly retryMs?: string;
  readonly failuresMax?: string;
}

interface ListOptions extends ApiOptions {
  readonly owner?: string;
  readonly source?: string;
  readonly status?: ListenerStatus;
}

/** A listener, as the management API answers it. */
interface Listener extends ListenerDefinition {
  readonly id: string;
  readonly status: ListenerStatus;
  readonly statusMessage: string;
}

interface Changed {
  readonly changed: boolean;
  readonly listener: Listener;
}

/** `nextevent listener add`, `list`, `show`, `change`, `remove`, `activate` and `deactivate` */
export function createListenerCommand(): Command {
  const command = new Command('listener')
    .description('create, list and change listeners: where events are delivered to')
    .helpCommand(false);
  const add = (name: string, description: string): Command =>
    withApi(command.command(name).description(description));
  withDefinition(add('add', 'create a listener; it gets what is posted from then on'))
    // With more than an address, it is the form for workflows and activities.
    .argument('<to...>', 'the address that events are delivered to')
    .option('--id <id>', 'its id, refused if it is taken; else made of its name')
    .addHelpText('after', EXAMPLES)
    .action(create);
  add('list', 'list listeners')
    .option('--owner <owner>', 'of this owner only')
    .option('--source <name>', 'for this source only')
    .addOption(
      new Option('--status <status>', 'only those; without it, all that are not removed').choices([
        'active',
        'inactive',
        'removed',
      ]),
    )
    .action(list);
  add('show', 'print a listener as JSON').argument('<id>').action(show);
  withDefinition(add('change', 'change a listener; what is not given stays'))
    .argument('<id>')
    .option('--to <address>', 'the address that events are delivered to')
    .action(change);
  add('remove', 'remove a listener for good; what is pending fails')
    .argument('<id>')
    .action(remove);
  add('activate', 'activate a listener; what is pending goes on').argument('<id>').action(activate);
  add('deactivate', 'deactivate a listener; what comes is skipped')
    .argument('<id>')
    .option('--reason <reason>', 'what it shows')
    .action(deactivate);
  return command;
}

function withDefinition(command: Command): Command {
  return command
    .option('--name <name>', 'what its id begins with; else the host of the address')
    .option('--source <name...>', 'the sources; without any, all of them')
    .option('--filter <filter>', 'a CEL expression')
    .option('--event <type...>', 'types of events, such as order.paid or order.*')
    .option('--method <method>', 'the HTTP method, if not POST')
    .option('--type <type>', 'the transport, if not webhook')
    .option('--dialect <name>', 'what bodies are made like, if not cloudevents')
    .option('--header <header...>', 'such as "x-team: crm" or "x-key: {secret:NAME}"')
    .option('--signing <secret...>', 'the names of the secrets that sign')
    .option('--owner <owner>', 'whose it is')
    .option('--description <text>', 'what it is for')
    .option('--ordered', 'one event after the other')
    .option('--no-ordered', 'events side by side')
    .option('--concurrency <number>', 'how many requests at once, at the most')
    .option('--rate-per-second <number>', 'how many in a second, at the most')
    .option('--timeout-ms <number>', 'for one attempt')
    .option('--retry-ms <numbers>', 'how long after an attempt the next follows: 5000,60000')
    .option('--failures-max <number>', 'so many failures in a row deactivate it');
}

async function create(to: readonly string[], options: DefinitionOptions): Promise<void> {
  const [address = '', ...more] = to;
  if (LIFECYCLE.has(address)) {
    throw new StartError(
      `listener add ${address} needs the lifecycle source, which there is not yet: give the address alone, and --source`,
    );
  }
  if (more.length > 0) throw new StartError(`there is one address too many: ${more.join(' ')}`);
  const body = { ...toDefinition({ ...options, to: address }), ...pick(options, ['id']) };
  const url = new URL('/api/v1/listeners', options.url);
  const listener = await ask<Listener>(url, { method: 'POST', body });
  console.log(options.json ? JSON.stringify(listener) : `${listener.id} is active`);
}

async function list({ url, json, ...filter }: ListOptions): Promise<void> {
  const found: Listener[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: URL = new URL('/api/v1/listeners', url);
    const from = cursor === '' ? {} : { cursor };
    page.search = new URLSearchParams({ ...filter, limit: `${PAGE}`, ...from }).toString();
    const answer = await ask<{ listeners: readonly Listener[]; next: string | null }>(page);
    found.push(...answer.listeners);
    cursor = answer.next;
  }
  if (json) for (const listener of found) console.log(JSON.stringify(listener));
  else console.log(found.length === 0 ? 'there are no listeners' : toTable(HEAD, found.map(toRow)));
}

async function show(id: string, { url }: ApiOptions): Promise<void> {
  console.log(JSON.stringify(await ask(at(url, id)), undefined, 2));
}

async function change(id: string, options: DefinitionOptions): Promise<void> {
  const asked = { method: 'PATCH', body: toDefinition(options) } as const;
  print(await ask<Changed>(at(options.url, id), asked), options);
}

async function remove(id: string, options: ApiOptions): Promise<void> {
  print(await ask<Changed>(at(options.url, id), { method: 'DELETE' }), options);
}

async function activate(id: string, options: ApiOptions): Promise<void> {
  print(await ask<Changed>(at(options.url, id, '/activate'), { method: 'POST' }), options);
}

async function deactivate(
  id: string,
  { reason, ...options }: ApiOptions & { readonly reason?: string },
): Promise<void> {
  const url = at(options.url, id, '/deactivate');
  if (reason !== undefined) url.searchParams.set('reason', reason);
  print(await ask<Changed>(url, { method: 'POST' }), options);
}

function print(answer: Changed, { json }: ApiOptions): void {
  if (json) console.log(JSON.stringify(answer));
  else {
    const { id, status, statusMessage } = answer.listener;
    const was = answer.changed ? '' : ', as it was before';
    console.log(`${id} is ${status}${was}${status === 'active' ? '' : `: ${statusMessage}`}`);
  }
}

function at(url: string, id: string, below = ''): URL {
  return new URL(`/api/v1/listeners/${encodeURIComponent(id)}${below}`, url);
}

/** What the management API takes: it knows what is right. */
function toDefinition(options: DefinitionOptions): Record<string, unknown> {
  const { to, source, event, header, retryMs } = options;
  const numbers = ['concurrency', 'ratePerSecond', 'timeoutMs', 'failuresMax'] as const;
  return {
    ...pick(options, ['name', 'filter', 'method', 'type', 'dialect', 'signing', 'owner']),
    ...pick(options, ['description', 'ordered']),
    ...(to !== undefined && { url: to }),
    ...(source !== undefined && { sources: source }),
    ...(event !== undefined && { events: event }),
    ...(header !== undefined && { headers: Object.fromEntries(header.map(toHeader)) }),
    ...Object.fromEntries(
      numbers.flatMap((name) =>
        options[name] === undefined ? [] : [[name, Number(options[name])]],
      ),
    ),
    ...(retryMs !== undefined && { retryMs: retryMs.split(',').filter(Boolean).map(Number) }),
  };
}

/** Those of the options that are given. */
function pick(
  options: DefinitionOptions,
  names: ReadonlyArray<keyof DefinitionOptions>,
): Record<string, unknown> {
  const given = names.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

function toHeader(text: string): [name: string, value: HeaderValue] {
  const [, name, value = ''] = /^([^:\s]+)\s*:\s*(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new StartError(`"${text}" is no header: write "name: value"`);
  const [, prefix = '', secret] = /^(.*)\{secret:([^{}]+)\}$/s.exec(value) ?? [];
  if (secret === undefined) return [name, value];
  return [name, { secret, ...(prefix !== '' && { prefix }) }];
}

function toRow({ id, status, sources, filter, url, owner = '' }: Listener): readonly string[] {
  return [id, status, sources.join(','), shorten(filter), shorten(url), owner];
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > CELL_LENGTH_MAX ? `${line.slice(0, CELL_LENGTH_MAX - 1)}…` : line;
}

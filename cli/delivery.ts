import { Command, Option } from 'commander';

import { StartError } from '../dev/errors.ts';
import type { AttemptRecord, Delivery } from '../events/listener.ts';
import { ask, toTable, withApi, type ApiOptions } from './management.ts';

/** How many are listed, if nothing else is asked for. */
const LIMIT_DEFAULT = '20';

const HEAD = [
  'number',
  'status',
  'message',
  'event',
  'type',
  'attempts',
  'created',
  'next attempt',
];

const REDELIVER_HELP = `
Examples:
  nextevent delivery redeliver crm 17
  nextevent delivery redeliver crm --since 2026-01-31T09:00:00Z
  nextevent delivery redeliver crm --since 2026-01-31T09:00:00Z --status skipped

What is delivered again is a delivery of its own, with the same webhook-id.
`;

interface ListOptions extends ApiOptions {
  readonly status?: string;
  readonly limit: string;
}

interface RedeliverOptions extends ApiOptions {
  readonly since?: string;
  readonly status?: string;
}

/** `nextevent delivery list`, `show` and `redeliver` */
export function createDeliveryCommand(): Command {
  const command = new Command('delivery')
    .description('see what was delivered to a listener, and deliver it again')
    .helpCommand(false);
  const add = (name: string, description: string): Command =>
    withApi(command.command(name).description(description));
  const statuses = ['pending', 'successful', 'failed', 'skipped'];
  add('list', 'list what is pending, and the newest that is not, newest first')
    .argument('<listener>')
    .addOption(new Option('--status <status>', 'only those').choices(statuses))
    .option('--limit <number>', 'at most so many', LIMIT_DEFAULT)
    .action(list);
  add('show', 'print a delivery, or an attempt of it, as JSON')
    .argument('<listener>')
    .argument('<number>')
    .argument('[attempt]', 'its number, from 1; or "last"')
    .action(show);
  add('redeliver', 'deliver again')
    .argument('<listener>')
    .argument('[number]', 'a delivery')
    .option('--since <time>', 'all that have failed, or were skipped, since then')
    .addOption(new Option('--status <status>', 'only those').choices(['failed', 'skipped']))
    .addHelpText('after', REDELIVER_HELP)
    .action(redeliver);
  return command;
}

async function list(listener: string, { url, json, status, limit }: ListOptions): Promise<void> {
  const asked = at(url, listener, '/deliveries');
  asked.search = new URLSearchParams({ limit, ...(status && { status }) }).toString();
  const { deliveries } = await ask<{ readonly deliveries: readonly Delivery[] }>(asked);
  if (json) for (const delivery of deliveries) console.log(JSON.stringify(delivery));
  else if (deliveries.length === 0) console.log('there are no such deliveries');
  else console.log(toTable(HEAD, deliveries.map(toRow)));
}

async function show(
  listener: string,
  number: string,
  ...[attempt, { url }]: [attempt: string | undefined, options: ApiOptions]
): Promise<void> {
  const path = `/deliveries/${encodeURIComponent(number)}`;
  const delivery = await ask<Delivery>(at(url, listener, path));
  if (attempt === undefined) return print(delivery);
  const which = attempt === 'last' ? String(delivery.attempts.length) : attempt;
  const below = `${path}/attempts/${encodeURIComponent(which)}`;
  return print(await ask<AttemptRecord>(at(url, listener, below)));
}

async function redeliver(
  listener: string,
  number: string | undefined,
  { url, json, since, status }: RedeliverOptions,
): Promise<void> {
  if ((number === undefined) === (since === undefined)) {
    throw new StartError('say what: the number of a delivery, or --since <time>');
  }
  const numbers = await (number === undefined
    ? redeliverAll(at(url, listener, '/redeliver'), since ?? '', status)
    : redeliverOne(at(url, listener, `/deliveries/${encodeURIComponent(number)}/redeliver`)));
  if (json) console.log(JSON.stringify({ deliveries: numbers }));
  else console.log(numbers.length === 0 ? 'there is nothing' : `again as ${numbers.join(', ')}`);
}

async function redeliverOne(url: URL): Promise<readonly number[]> {
  const { number } = await ask<Delivery>(url, { method: 'POST' });
  return [number];
}

async function redeliverAll(
  url: URL,
  given: string,
  status: string | undefined,
): Promise<readonly number[]> {
  const since = new Date(given);
  if (Number.isNaN(since.getTime())) throw new StartError(`--since is "${given}", must be a time`);
  const body = { since: since.toISOString(), ...(status && { status: [status] }) };
  const { deliveries } = await ask<{ readonly deliveries: readonly number[] }>(url, {
    method: 'POST',
    body,
  });
  return deliveries;
}

function print(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}

function at(url: string, listener: string, below: string): URL {
  return new URL(`/api/v1/listeners/${encodeURIComponent(listener)}${below}`, url);
}

function toRow(delivery: Delivery): readonly string[] {
  const { number, status, message, eventId, type, attempts, createdAt, nextAttemptAt } = delivery;
  const tried = String(attempts.length);
  return [`${number}`, status, message, eventId, type, tried, createdAt, nextAttemptAt ?? '-'];
}

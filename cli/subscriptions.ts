import { Command } from 'commander';

import type { SubscriptionStatus } from '../dispatch/inspection.ts';
import { ask, toTable, withApi, type ApiOptions } from './management.ts';

/** How many subscriptions one request asks for. */
const PAGE = 500;

/** A filter, or an error, is printed up to here, in characters. */
const CELL_LENGTH_MAX = 60;

const HEAD = ['source', 'workflow', 'filter', 'since', 'received', 'unread', 'state'];

interface SourcesAnswer {
  readonly sources: ReadonlyArray<{ readonly name: string }>;
}

interface SubscriptionsAnswer {
  readonly subscriptions: readonly SubscriptionStatus[];
  readonly next: string | null;
}

/** `nextevent subscriptions` */
export function createSubscriptionsCommand(): Command {
  return withApi(new Command('subscriptions'), 'print one JSON object for each subscription')
    .description('list who waits for what')
    .argument('[source]', 'of this source only')
    .action(list);
}

async function list(source: string | undefined, { url, json }: ApiOptions): Promise<void> {
  const sources = source === undefined ? await sourcesAt(url) : [source];
  const found: SubscriptionStatus[] = [];
  for (const name of sources) found.push(...(await subscriptionsAt(url, name)));
  if (json) for (const subscription of found) console.log(JSON.stringify(subscription));
  else
    console.log(found.length === 0 ? 'nobody waits for anything' : toTable(HEAD, found.map(toRow)));
}

async function sourcesAt(url: string): Promise<string[]> {
  const { sources } = await ask<SourcesAnswer>(new URL('/api/v1/sources', url));
  return sources.map(({ name }) => name);
}

async function subscriptionsAt(url: string, source: string): Promise<SubscriptionStatus[]> {
  const found: SubscriptionStatus[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: URL = new URL('/api/v1/subscriptions', url);
    const from = cursor === '' ? {} : { cursor };
    page.search = new URLSearchParams({ source, limit: `${PAGE}`, ...from }).toString();
    const { subscriptions, next } = await ask<SubscriptionsAnswer>(page);
    found.push(...subscriptions);
    cursor = next;
  }
  return found;
}

function toRow(subscription: SubscriptionStatus): readonly string[] {
  const { source, workflowId, filter, since, received, unread } = subscription;
  const state = stateOf(subscription);
  return [source, workflowId, shorten(filter), since ?? '?', count(received), count(unread), state];
}

function stateOf({ suspended, undeliverable, lastError }: SubscriptionStatus): string {
  return [
    suspended ? 'suspended' : 'waits',
    ...(undeliverable > 0 ? [`${undeliverable} undeliverable`] : []),
    ...(lastError === null ? [] : [shorten(`no match: ${lastError.error}`)]),
  ].join(', ');
}

function count(number: number | null): string {
  return number === null ? '?' : String(number);
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > CELL_LENGTH_MAX ? `${line.slice(0, CELL_LENGTH_MAX - 1)}…` : line;
}

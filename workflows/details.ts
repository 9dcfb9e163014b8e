// What the Temporal UI shows of a workflow: markdown, made of what is known at the moment.

import type { Subscription } from '../events/subscription.ts';
import type { Inbox } from './inbox.ts';
import type { ListenerView } from './listener-messages.ts';
import { subscriptionsQuery, type HeldDescription } from './messages.ts';
import type { Source } from './source-state.ts';

/** Rows of a table at the most; a query's answer is bounded, and so is a reader. */
const ROWS_MAX = 100;

/** As much of an id is shown: tables are narrow. */
const ID_SHOWN = 8;

/** A filter is shown up to here, in characters. */
const FILTER_LENGTH_MAX = 120;

/** What a workflow waits for, and what has come. Empty if it holds nothing. */
export function inboxDetails(inbox: Inbox): string {
  const subscriptions = inbox.describe();
  const size = subscriptions.length;
  if (size === 0) return '';
  return [
    `**nextevent**: ${inbox.isWaiting ? 'waits for an event' : 'does not wait for an event'}` +
      (inbox.suspended ? ', **suspended**: it must continue as new to get more events' : ''),
    table(
      ['source', 'filter', 'received', 'unread', 'subscription'],
      { size, subscriptions },
      toHeldRow,
    ),
    `The query \`${subscriptionsQuery.name}\` tells it all.`,
  ].join('\n\n');
}

/** Who subscribes to a source, and what waits in its backlog. */
export function sourceDetails(source: Source): string {
  const { segments } = source.layers.cold;
  const subscriptions = source.layers.hot.oldestOf(ROWS_MAX + 1);
  return [
    `**${source.size}** subscriptions, **${source.backlog.length}** events in the backlog` +
      (segments.length > 0 ? `, **${segments.length}** segments` : '') +
      (source.isRecovering ? ', **recovering** its subscriptions' : ''),
    ...(subscriptions.length === 0
      ? []
      : [
          table(
            ['workflow', 'filter', 'since', 'state'],
            { size: source.size, subscriptions },
            toSubscriberRow,
          ),
        ]),
    '`npx nextevent subscriptions` lists all of them, and what they have received.',
  ].join('\n\n');
}

/** What a listener delivers, and how it is getting on. */
export function listenerDetails(listener: ListenerView): string {
  const { definition, status, statusMessage, deliveries, pending, failuresInRow } = listener;
  const counts = [`**${deliveries}** deliveries`, `**${pending}** pending`];
  if (failuresInRow > 0) counts.push(`**${failuresInRow}** have failed since one succeeded`);
  return [
    `**${status}**${status === 'active' ? '' : `: ${statusMessage}`}. ${counts.join(', ')}`,
    `${definition.sources.join(', ')} ${code(definition.filter)} to ${definition.type} \`${definition.url}\``,
    '`npx nextevent delivery list` lists what was delivered.',
  ].join('\n\n');
}

function toHeldRow({ id, source, filter, received, unread }: HeldDescription): readonly unknown[] {
  return [source, code(filter), received, unread, `\`${id.slice(0, ID_SHOWN)}\``];
}

function toSubscriberRow(subscription: Subscription): readonly unknown[] {
  const { workflowId, filter, since } = subscription;
  const time = since === undefined ? '' : new Date(since).toISOString();
  return [`\`${workflowId}\``, code(filter), time, stateOf(subscription)];
}

function stateOf({ suspended, undeliverable = 0 }: Subscription): string {
  const missed = undeliverable > 0 ? `, ${undeliverable} undeliverable` : '';
  return (suspended ? 'suspended' : 'waits') + missed;
}

interface Rows<T> {
  readonly size: number;
  readonly subscriptions: Iterable<T>;
}

function table<T>(
  head: readonly string[],
  { size, subscriptions }: Rows<T>,
  row: (item: T) => readonly unknown[],
): string {
  const lines = [line(head), line(head.map(() => '---'))];
  for (const subscription of subscriptions) {
    if (lines.length === ROWS_MAX + 2) {
      lines.push('', `... and ${size - ROWS_MAX} more`);
      break;
    }
    lines.push(line(row(subscription)));
  }
  return lines.join('\n');
}

function line(cells: readonly unknown[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** A filter in a cell: a bar would end the cell, and a backtick the code. */
function code(filter: string): string {
  if (filter === '') return '_every event_';
  const short =
    filter.length > FILTER_LENGTH_MAX ? `${filter.slice(0, FILTER_LENGTH_MAX)}…` : filter;
  return `\`${short.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').replaceAll('`', "'")}\``;
}

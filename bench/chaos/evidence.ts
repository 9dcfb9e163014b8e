// What was found, in sentences that are enough to begin to look.

import type { Lost } from './checker.ts';
import { toCel } from './filters.ts';
import type { HeldSubscription, PostedEvent, Records } from './records.ts';
import type { ChaosResult } from './run.ts';

/** How many findings of one kind are printed. */
const LINES_MAX = 50;

export function toEvidence({ findings, records, unsettled }: ChaosResult): string[] {
  const held = new Map(
    records.subscriptions.map((subscription) => [subscription.id, subscription]),
  );
  const of = (id: string): string => {
    const subscription = held.get(id);
    return subscription ? describeHeld(subscription) : `${id}, which was never told to be held`;
  };
  return [
    ...unsettled.map((what) => `unsettled: waited in vain for ${what}`),
    ...findings.lost.map((lost) => `lost: ${describeLost(lost, records)}`),
    ...findings.duplicated.map(({ event, by }) => `duplicated: ${event} came again to ${of(by)}`),
    ...findings.reordered.map(
      ({ first, second, by }) =>
        `reordered: ${describeEvent(first)} came after ${describeEvent(second)}, to ${of(by)}`,
    ),
    ...findings.leaked.map(
      ({ id, source, filter, workflowId, firstRunId }) =>
        `leaked: ${source} has ${id} with filter "${filter}" of ${workflowId} (first run ` +
        `${firstRunId}), which has ended; ${of(id)}`,
    ),
    ...findings.unexpected.map(
      ({ event, subscription }) => `unexpected: ${event} came to ${of(subscription)}`,
    ),
  ].slice(0, LINES_MAX);
}

function describeLost({ event, by }: Lost, { subscribers }: Records): string {
  if ('runIds' in by) return `${describeEvent(event)} did not start ${by.workflowId}`;
  const subscriber = subscribers.find(({ firstRunId }) => firstRunId === by.firstRunId);
  const received = subscriber?.received.filter(({ subscription }) => subscription === by.id) ?? [];
  const others = received.map((receipt) => receipt.event).slice(-5);
  return (
    `${describeEvent(event)} never came to ${describeHeld(by)}, which received ` +
    `${received.length} events, at last ${others.join(', ')}`
  );
}

function describeEvent(event: PostedEvent): string {
  const { id, source, body, postedAt, acknowledgedAt, attempts, queued } = event;
  const acknowledged = acknowledgedAt === undefined ? 'never' : toTime(acknowledgedAt);
  const way = queued ? ', queued' : '';
  return (
    `${id} of ${source} ${JSON.stringify(body)} (posted at ${toTime(postedAt)}, acknowledged at ` +
    `${acknowledged}${way}, ${attempts} attempts)`
  );
}

function describeHeld(subscription: HeldSubscription): string {
  const { id, source, filter, workflowId, firstRunId, heldAt, ending } = subscription;
  const until = ending.kind === 'open' ? 'the end' : `the ${ending.kind} at ${toTime(ending.at)}`;
  return (
    `subscription ${id} of ${workflowId} (first run ${firstRunId}) to ${source} with filter ` +
    `"${toCel(filter)}", held from ${toTime(heldAt)} to ${until}`
  );
}

function toTime(ms: number): string {
  return ms.toFixed(3);
}

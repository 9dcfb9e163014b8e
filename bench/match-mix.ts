// What the measurement of matching subscribes, and the events that it matches.

import { randomUUID } from 'node:crypto';

import type { Event } from '../events/event.ts';
import type { Subscription } from '../events/subscription.ts';

/** Subscriptions of one block, each of a kind of its own or with values of its own. */
export const BLOCK = 10;

/** Of so many subscriptions of a block, and of the unindexed ones, each event is. */
export const MATCHES = 4;

/**
 * Filters that no index serves: as many beside every number of subscriptions, since each costs every event
 * its evaluation. One of them matches.
 */
export const UNINDEXED: readonly string[] = [
  'data.pull_request.additions > 100000',
  'data.pull_request.labels.exists(label, label.name == "priority-2")',
];

/** Where numbers of blocks begin, so that values are of one length, however many blocks there are. */
const FIRST_BLOCK = 100_000;

/** About as many bytes as GitHub sends for a pull request. */
const EVENT_BYTES = 12 * 1024;

/** The filters of one block: what people wait for, with values that no other block has. */
function filtersOf(place: number): readonly string[] {
  const block = FIRST_BLOCK + place;
  const ids = [0, 1, 2].map((id) => block * BLOCK + id);
  const review = `event_type == 'pull_request_review'`;
  const opened = `event_type == 'pull_request' && data.action in ['opened', 'reopened']`;
  return [
    `${review} && data.repository.full_name == 'org-${block}/api'`,
    `${review} && data.repository.full_name == 'org-${block}/web'`,
    `data.action == 'submitted' && data.repository.full_name == 'org-${block}/docs'`,
    `data.pull_request.id == ${ids[0]}`,
    `data.pull_request.id == ${ids[1]} && data.review.state == 'approved'`,
    `${opened} && data.sender.login == 'user-${block}'`,
    `${opened} && data.sender.login == 'bot-${block}' && data.pull_request.draft == false`,
    `data.pull_request.number in [${ids.join(', ')}]`,
    `data.pull_request.head.ref == 'task-${block}' || data.pull_request.base.ref == 'task-${block}'`,
    `data.pull_request.head.ref.startsWith('team-${block}/')`,
  ];
}

/** Subscriptions as a source tells them to an ingress. */
export function subscriptionsOf(count: number): readonly Subscription[] {
  const subscriptions: Subscription[] = [];
  const filters = [...UNINDEXED];
  for (let block = 0; block * BLOCK < count; block++) filters.push(...filtersOf(block));
  for (const [place, filter] of filters.entries()) {
    subscriptions.push({
      id: randomUUID(),
      filter,
      workflowId: `approval/${randomUUID()}`,
      firstRunId: randomUUID(),
      run: randomUUID().slice(-8),
      seq: place + 1,
      since: 1_700_000_000_000 + place,
    });
  }
  // As they come: parsed, with no text shared between two.
  return JSON.parse(JSON.stringify(subscriptions));
}

/** An event for `MATCHES` subscriptions: three of a block, and one that no index serves. */
export function eventOf(place: number): Event {
  const block = FIRST_BLOCK + place;
  const data = {
    action: 'submitted',
    review: { id: block, state: 'commented', user: user('reviewer') },
    pull_request: {
      id: block * BLOCK,
      number: 17,
      draft: false,
      additions: 120,
      labels: [1, 2, 3].map((n) => ({ id: n, name: `priority-${n}` })),
      head: { ref: `team-${block}/login`, sha: 'b'.repeat(40) },
      base: { ref: 'main', sha: 'c'.repeat(40) },
      user: user(`author-${block}`),
    },
    repository: { id: block, full_name: `org-${block}/api`, owner: user(`org-${block}`) },
    sender: user(`user-${block}`),
    commits: [] as object[],
  };
  while (JSON.stringify(data).length < EVENT_BYTES) {
    const message = `Change ${data.commits.length} of ${block}`;
    data.commits.push({ id: randomUUID(), message, author: user('author'), added: ['a', 'b'] });
  }
  return {
    id: randomUUID(),
    source: 'github',
    type: 'pull_request_review',
    time: '2026-03-01T09:30:00Z',
    data: JSON.parse(JSON.stringify(data)),
  };
}

function user(login: string): object {
  return { login, id: 7, type: 'User', site_admin: false };
}

// Events that can not be read, or not be written as JSON: whoever brought one hears of it, and the
// process and all other events go on.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Client } from '@temporalio/client';

import { Feeder } from '../dispatch/feeder.ts';
import { Lanes } from '../dispatch/lanes.ts';
import type { SourceClient, SourceDescription } from '../dispatch/source-client.ts';
import { SourceDispatcher } from '../dispatch/source-dispatcher.ts';
import { Triggers } from '../dispatch/triggers.ts';
import type { Event } from '../events/event.ts';
import type { Changes } from '../workflows/messages.ts';
import { eventOf, STUCK_MS } from './trouble.ts';

const SOURCE = 'shop';

/** A Temporal that keeps what a workflow is fed. */
class Recording {
  readonly fed: string[][] = [];
  readonly client: Client;

  constructor() {
    const workflow = {
      signalWithStart: async (_type: string, options: { signalArgs: [{ events: Event[] }] }) => {
        const [{ events }] = options.signalArgs;
        this.fed.push(events.map(({ id }) => id));
      },
    };
    const connection = { withDeadline: (_at: number, call: () => unknown) => call() };
    this.client = { connection, workflow } as unknown as Client;
  }
}

/** A source with one subscription, which wants what says `yes`. */
const source = {
  async describe(): Promise<SourceDescription> {
    const memo = { version: 1, backlog: 0, stateBytes: 0 };
    const is = { isRunning: true, isOpen: true, isPending: false, hasRoom: true };
    return { runId: 'run', memo, ...is };
  },
  async changes(): Promise<Changes> {
    const workflow = { workflowId: 'w', firstRunId: 'w-run' };
    const added = [{ id: 's', filter: "data.text == 'yes'", seq: 1, ...workflow }];
    const run = { firstRunId: 'run', runId: 'run', version: 1, backlog: 0 };
    return { ...run, snapshot: true, added, removed: [] };
  },
};

describe('An event that can not be matched', () => {
  let looks = 0;
  const unreadable = {
    get text(): string {
      looks += 1;
      throw new SyntaxError('it can not be read');
    },
  };
  const unwritable = {
    n: 1n,
    get text(): string {
      looks += 1;
      return 'yes';
    },
  };
  const cases: Array<[what: string, data: unknown, error: { name: string }]> = [
    ['can not be read', unreadable, { name: 'SyntaxError' }],
    ['can not be written', unwritable, { name: 'TypeError' }],
  ];
  for (const [what, data, error] of cases) {
    test(`because it ${what} is refused at once, and is not looked at again`, async () => {
      const dispatcher = dispatcherOf();
      await dispatcher.warmUp();
      await assert.rejects(dispatcher.dispatch(eventOf(SOURCE, 'bad', data)), error);
      const looked = looks;
      await goesOn(dispatcher);
      assert.equal(looks, looked);
    });

    test(`because it ${what} is refused by a reading, and others of it go on`, async () => {
      const dispatcher = dispatcherOf();
      // Nothing is known of the source yet: both wait for what is read of it.
      const bad = dispatcher.dispatch(eventOf(SOURCE, 'bad', data));
      const good = goesOn(dispatcher);
      await assert.rejects(bad, error);
      const looked = looks;
      await good;
      await goesOn(dispatcher);
      assert.equal(looks, looked);
    });
  }
});

describe('An event that can not be written as JSON', () => {
  const bad = eventOf(SOURCE, 'bad', { n: 1n });

  test('is given to no lane', () => {
    const lanes = new Lanes(new Recording().client, STUCK_MS);
    const target = { workflowId: 'w', firstRunId: 'w-run' };
    assert.throws(() => void lanes.push(target, { event: bad, subscriptions: [] }), TypeError);
  });

  test('is fed to no workflow, and those before and after it are', async () => {
    const { client, fed } = new Recording();
    const feeder = new Feeder(client);
    const trigger = { name: 't', source: SOURCE, filter: '', workflow: 'w', taskQueue: 'q' };
    const feed = (event: Event) => feeder.feed(trigger, 't/1', event);
    await assert.rejects(feed(bad), TypeError);
    const first = feed(eventOf(SOURCE, 'first'));
    await assert.rejects(feed(bad), TypeError);
    await Promise.all([first, feed(eventOf(SOURCE, 'second'))]);
    assert.deepEqual(fed, [['first'], ['second']]);
  });
});

function dispatcherOf(): SourceDispatcher {
  const { client } = new Recording();
  return new SourceDispatcher(SOURCE, {
    client: source as unknown as SourceClient,
    lanes: new Lanes(client, STUCK_MS),
    triggers: new Triggers(client, []),
  });
}

async function goesOn(dispatcher: SourceDispatcher): Promise<void> {
  const { queued, unmatched } = await dispatcher.dispatch(eventOf(SOURCE, 'good', { text: 'no' }));
  assert.deepEqual({ queued, unmatched }, { queued: false, unmatched: 1 });
}

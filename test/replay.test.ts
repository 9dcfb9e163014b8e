import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as examples from '../examples/index.ts';
import {
  replayHistories,
  type RecordedHistory,
  type RecordedHistoryEvent,
} from '../testing/index.ts';
import * as ofSources from '../workflows/index.ts';
import * as ofListeners from '../workflows/outbound.ts';

const HISTORIES = fileURLToPath(new URL('histories', import.meta.url));
const options = { workflowsPath: fileURLToPath(new URL('workflows/replayed.ts', import.meta.url)) };

const names = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));

/** Examples that can be given so little time that a recording sees the end of it. */
const LIMITED = ['approval', 'meow', 'reminder', 'silence'];

describe('there is a recorded history', () => {
  test('of every workflow of the library and of the examples', () => {
    const ofLibrary = [...workflowsOf(ofSources), ...workflowsOf(ofListeners)];
    assert.deepEqual(withoutHistory([...ofLibrary, ...workflowsOf(examples)]), []);
  });

  test('of every example that an event wakes', () => {
    const signaled = 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED';
    assert.deepEqual(withoutHistory(workflowsOf(examples), signaled), []);
  });

  test('of every example whose time is up', () => {
    assert.deepEqual(withoutHistory(LIMITED, 'EVENT_TYPE_TIMER_FIRED'), []);
  });
});

for (const name of names) {
  test(`the recorded history ${name} replays`, async () => {
    await replayHistories([`${HISTORIES}/${name}`], options);
  });
}

test('a history that the code does not fit does not replay', async () => {
  const name = names.find((candidate) => candidate.startsWith('listener'));
  assert.ok(name);
  const text = JSON.stringify(read(name)).replaceAll('nexteventUnregister', 'somethingElse');
  const replay = replayHistories([JSON.parse(text) as RecordedHistory], options);
  await assert.rejects(replay, { name: 'ReplayFailedError', message: /somethingElse/ });
});

interface HistoryEvent extends RecordedHistoryEvent {
  readonly eventType: string;
}

interface History extends RecordedHistory {
  readonly events: readonly HistoryEvent[];
}

/** Those of which there is no history with such an event in it. */
function withoutHistory(
  workflows: readonly string[],
  wanted = 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
): string[] {
  const histories = names
    .map(read)
    .filter(({ events }) => events.some(({ eventType }) => eventType === wanted));
  const recorded = new Set(histories.map(typeOf));
  return workflows.filter((workflow) => !recorded.has(workflow));
}

/** A module of workflows exports queries, too. */
function workflowsOf(module: object): string[] {
  return Object.entries(module).flatMap(([name, value]) =>
    typeof value === 'function' ? [name] : [],
  );
}

function read(name: string): History {
  return JSON.parse(readFileSync(`${HISTORIES}/${name}`, 'utf8')) as History;
}

function typeOf({ events }: RecordedHistory): string {
  return events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? '';
}

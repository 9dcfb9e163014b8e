import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { replayHistories, type RecordedHistory } from '../testing/index.ts';
import { SOURCE_WORKFLOW_TYPE, STORED_EVENT_WORKFLOW_TYPE } from '../workflows/messages.ts';

const HISTORIES = fileURLToPath(new URL('histories', import.meta.url));
const options = { workflowsPath: fileURLToPath(new URL('workflows/replayed.ts', import.meta.url)) };

const names = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));

test('there are histories of the workflows of the library and of its users', () => {
  const types = new Set(names.map((name) => typeOf(read(name))));
  assert.ok(types.has(SOURCE_WORKFLOW_TYPE) && types.has(STORED_EVENT_WORKFLOW_TYPE));
  assert.ok(types.size > 2);
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

function read(name: string): RecordedHistory {
  return JSON.parse(readFileSync(`${HISTORIES}/${name}`, 'utf8')) as RecordedHistory;
}

function typeOf({ events }: RecordedHistory): string {
  return events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name ?? '';
}

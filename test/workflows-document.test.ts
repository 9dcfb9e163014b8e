// The code in docs/workflows.md is code that other tests run, and the page leaves nothing out.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';

import * as api from 'nextevent/workflow';

/** What is run by `examples.test.ts` and `next-event.test.ts`. */
const RUN = [
  'examples/00-hello.ts',
  'examples/03-three-sources.ts',
  'examples/04-reminder.ts',
  'examples/05-silence.ts',
  'test/workflows/withdrawing.ts',
];

describe('docs/workflows.md', () => {
  let page = '';
  before(async () => {
    page = await read('docs/workflows.md');
  });

  test('has no code but what runs', async () => {
    const blocks = [...page.matchAll(/```\w*\n([^]*?)```/g)].map(([, code = '']) => code);
    assert.notEqual(blocks.length, 0);
    const files = await Promise.all(RUN.map(read));
    const others = blocks.filter((code) => !files.some((file) => isExcerpt(code, file)));
    assert.deepEqual(others, []);
    const unused = RUN.filter((_, at) => !blocks.some((code) => isExcerpt(code, files[at] ?? '')));
    assert.deepEqual(unused, [], 'files that nothing is taken from');
  });

  test('names every function there is, but for those of listeners', () => {
    const names = Object.keys(api).filter((name) => !/Error$|Listener$/.test(name));
    assert.ok(names.includes('subscribe'));
    assert.deepEqual(
      names.filter((name) => !page.includes(`| \`${name}`)),
      [],
    );
  });
});

/** Whole lines of a file; an excerpt from within a function may stand less far to the right. */
function isExcerpt(code: string, file: string): boolean {
  return ['', '  '].some((indent) => {
    const lines = code.replaceAll(/^(?=.)/gm, indent);
    return `\n${file}`.includes(`\n${lines}`);
  });
}

function read(path: string): Promise<string> {
  return readFile(new URL(`../${path}`, import.meta.url), 'utf8');
}

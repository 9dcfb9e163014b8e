// What `npm test` prints: Node's own report, and what failed once more right before its closing
// lines, because thousands of lines may stand above them, or be cut off.

import { spec, tap } from 'node:test/reporters';

export default process.stdout.isTTY ? spec : tapWithFailures;

async function* tapWithFailures(events) {
  yield* tap(repeatFailures(events));
}

/** The closing lines are the comments outside of all tests. */
async function* repeatFailures(events) {
  const failures = [];
  for await (const event of events) {
    const { type, data } = event;
    if (type === 'test:fail' && isOwn(data)) failures.push(data);
    const isClosing = type === 'test:diagnostic' && data.nesting === 0 && data.file === undefined;
    if (isClosing) for (const failure of failures.splice(0)) yield* describe(failure);
    yield event;
  }
}

/** A suite fails with its tests, which say why. */
function isOwn({ details, todo }) {
  return details.error?.failureType !== 'subtestsFailed' && todo === undefined;
}

function* describe({ name, file, line, details: { error } }) {
  const text = [`not ok: ${name} (${file}:${line})`, ...reasonsOf(error)].join('\n');
  for (const message of text.split('\n')) {
    yield { type: 'test:diagnostic', data: { nesting: 0, message } };
  }
}

/** What was thrown, and what had caused it: a failed update of a workflow says no more itself. */
function* reasonsOf(error) {
  const thrown = error?.cause ?? error?.message ?? error;
  yield String(thrown?.stack ?? thrown);
  for (let cause = thrown?.cause; cause !== undefined; cause = cause?.cause) {
    yield `caused by ${String(cause?.stack ?? cause)}`;
  }
}

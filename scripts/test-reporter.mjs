// What `npm test` prints. In a terminal, Node's report. Elsewhere a line for each file, what failed,
// and Node's closing lines with what failed once more before them: among thousands of tests that
// pass, one that fails is hard to find, or is cut off. `--test-reporter=tap` prints everything.

import { relative } from 'node:path';
import { spec } from 'node:test/reporters';

/** Of what the processes of a file have written, this much is told if a test in it fails. */
const OUTPUT_CHARACTERS = 3_000;

export default process.stdout.isTTY ? spec : brief;

async function* brief(events) {
  const outputs = new Map();
  const failures = [];
  let current = newFile();
  for await (const event of events) {
    const { data } = event;
    if (isOutput(event)) {
      const output = `${outputs.get(data.file) ?? ''}${data.message.trimEnd()}\n`;
      outputs.set(data.file, output.slice(-OUTPUT_CHARACTERS));
    } else if (isResult(event)) {
      if (data.file !== current.name) {
        yield* describeFile(current);
        current = newFile(data.file);
      }
      addTo(current, event);
      if (!isFailure(event)) continue;
      failures.push(data);
      yield describeFailure(data);
    } else if (isClosing(event)) {
      yield* describeFile(current);
      current = newFile();
      yield* describeFailures(failures.splice(0), outputs);
      yield `# ${data.message}\n`;
    }
  }
}

const OUTPUT = new Set(['test:stdout', 'test:stderr', 'test:diagnostic']);

function isOutput({ type, data }) {
  return OUTPUT.has(type) && data.file !== undefined;
}

function isResult({ type }) {
  return type === 'test:pass' || type === 'test:fail';
}

/** A suite fails with its tests, which say why. */
function isFailure({ type, data: { details, todo } }) {
  const failed = type === 'test:fail' && todo === undefined;
  return failed && details.error?.failureType !== 'subtestsFailed';
}

/** What belongs to no test. */
function isClosing({ type, data }) {
  return type === 'test:diagnostic' && data.nesting === 0 && data.file === undefined;
}

function newFile(name) {
  return { name, tests: 0, failed: 0, milliseconds: 0 };
}

function addTo(file, event) {
  const { nesting, details } = event.data;
  if (nesting === 0) file.milliseconds += details.duration_ms;
  if (details.type !== 'suite') file.tests += 1;
  if (isFailure(event)) file.failed += 1;
}

function* describeFile({ name, tests, failed, milliseconds }) {
  if (name === undefined) return;
  const seconds = Math.round(milliseconds / 1_000);
  const result = failed === 0 ? 'ok' : `not ok (${failed})`;
  yield `${result} ${relative(process.cwd(), name)}: ${tests} tests, ${seconds} s\n`;
}

function* describeFailures(failures, outputs) {
  yield* failures.map(describeFailure);
  for (const file of new Set(failures.map((failure) => failure.file))) {
    const output = outputs.get(file);
    if (output) yield comment(`what ${relative(process.cwd(), file)} has written:\n${output}`);
  }
}

function describeFailure({ name, file, line, details }) {
  return comment([`not ok: ${name} (${file}:${line})`, ...reasonsOf(details.error)].join('\n'));
}

function comment(text) {
  return text.trimEnd().replaceAll(/^/gm, '# ') + '\n';
}

/** What was thrown, and what had caused it: a failed update of a workflow says no more itself. */
function* reasonsOf(error) {
  if (error?.exitCode !== undefined) {
    yield `its process ended with ${error.signal ?? error.exitCode}`;
    return;
  }
  const thrown = error?.cause ?? error?.message ?? error;
  yield String(thrown?.stack ?? thrown);
  for (let cause = thrown?.cause; cause !== undefined; cause = cause?.cause) {
    yield `caused by ${String(cause?.stack ?? cause)}`;
  }
}

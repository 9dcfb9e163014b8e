import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';

import { Command } from 'commander';

import { StartError } from '../dev/errors.ts';
import { explainFilter, toSentence } from '../events/filter-explain.ts';
import {
  checkFilter,
  EventFormError,
  toTriedEvent,
  type FilterReport,
} from '../events/filter-report.ts';
import { FilterError } from '../events/filter.ts';

const CHECK_HELP = `
Exit code 0 if it is a filter, 1 if it is not.
`;

const TEST_HELP = `
The event is JSON, as it is stored, or no more than its type and data:

  {"type": "post", "data": {"order": {"id": "A-1"}}}

Exit code 0 if it matches, 1 if it does not, or is no filter.
`;

interface FilterOptions {
  readonly json?: boolean;
}

/** `nextevent filter` */
export function createFilterCommand(): Command {
  return new Command('filter')
    .description('check a filter, or try it on an event; neither needs anything that runs')
    .helpCommand(false)
    .addCommand(
      new Command('check')
        .description('say whether a text is a filter, and what an index serves it by')
        .argument('<filter>', 'for example "data.action == \'opened\'"')
        .option('--json', 'print a JSON object')
        .addHelpText('after', CHECK_HELP)
        .action(check),
    )
    .addCommand(
      new Command('test')
        .description('say whether a filter matches an event and, if not, why')
        .argument('<filter>', 'for example "data.action == \'opened\'"')
        .argument('<event>', 'a file, or - for what is piped in')
        .option('--json', 'print a JSON object')
        .addHelpText('after', TEST_HELP)
        .action(test),
    );
}

function check(filter: string, { json }: FilterOptions): void {
  const report = checkFilter(filter);
  if (json) console.log(JSON.stringify(report));
  else if (!report.valid) console.error(report.error);
  else console.log(`valid; ${describeIndex(report)}`);
  if (!report.valid) process.exitCode = 1;
}

function describeIndex({ indexed, indexedBy }: Extract<FilterReport, { valid: true }>): string {
  if (indexedBy.length > 0) return `an index serves it by ${indexedBy.join(', ')}`;
  if (indexed) return 'it wants every event of its source';
  return 'no index serves it: it is evaluated for every event of its source';
}

async function test(filter: string, file: string, { json }: FilterOptions): Promise<void> {
  const content = await read(file);
  const explanation = explain(filter, parse(content, file));
  if (!explanation.matched) process.exitCode = 1;
  if (json) {
    console.log(JSON.stringify(explanation));
    return;
  }
  console.log(explanation.matched ? 'matches' : 'does not match');
  for (const reason of explanation.reasons) console.log(`  ${toSentence(reason)}`);
}

async function read(file: string): Promise<string> {
  try {
    return file === '-' ? await textOf(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`${file} can not be read: ${why}`, { cause: error });
  }
}

function parse(content: string, file: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new StartError(`${file === '-' ? 'the input' : file} is not JSON`, { cause: error });
  }
}

function explain(filter: string, event: unknown) {
  try {
    return explainFilter(filter, toTriedEvent(event));
  } catch (error) {
    if (!(error instanceof FilterError || error instanceof EventFormError)) throw error;
    throw new StartError(error.message, { cause: error });
  }
}

import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';

import { Command } from 'commander';

import { CONFIG_NAMES } from '../config/load.ts';
import { StartError } from '../dev/errors.ts';
import { PROJECT_PACKAGE, projectFiles } from './project-files.ts';

/** What npm does not take in a package's name. */
const NOT_IN_PACKAGE_NAMES = /[^a-z0-9-]+/g;

const CURL =
  `curl -X POST http://127.0.0.1:8088/webhooks/hello ` +
  `-H 'content-type: application/json' -d '{"hello":"world"}'`;

/** `nextevent init` */
export function createInitCommand(): Command {
  return new Command('init')
    .description('write a project of your own: a configuration and a first workflow')
    .argument('[folder]', 'where to; it is made if it is not there', '.')
    .action(init);
}

async function init(given: string): Promise<void> {
  const folder = resolve(given);
  const { version } = createRequire(import.meta.url)('nextevent/package.json') as {
    version: string;
  };
  const files = Object.entries(projectFiles(packageNameFor(folder), version));
  const written: string[] = [];
  for (const [path, text] of files) {
    const there = await writeNew(folder, { path, text });
    if (there === undefined) written.push(path);
    console.log(there === undefined ? `wrote ${path}` : `kept ${there}, which is there already`);
  }
  console.log(await nextSteps(folder, written.includes('package.json')));
}

function packageNameFor(folder: string): string {
  const name = basename(folder).toLowerCase().replaceAll(NOT_IN_PACKAGE_NAMES, '-');
  return name.replaceAll(/^-+|-+$/g, '') || 'my-project';
}

/** Gives the name of the file that stands in the way, if there is one. */
async function writeNew(
  folder: string,
  { path, text }: { readonly path: string; readonly text: string },
): Promise<string | undefined> {
  // One configuration would hide the other.
  const names = CONFIG_NAMES.includes(path) ? CONFIG_NAMES : [path];
  const there = names.find((name) => existsSync(join(folder, name)));
  if (there !== undefined) return there;
  const file = join(folder, path);
  try {
    await mkdir(dirname(file), { recursive: true });
    // Never over a file that came in the meantime.
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`${file} can not be written: ${why}`, { cause: error });
  }
  return undefined;
}

async function nextSteps(folder: string, isPackageNew: boolean): Promise<string> {
  const here = relative(process.cwd(), folder);
  const steps = [
    ...(here === '' ? [] : [`cd ${quoted(here)}`]),
    ...(isPackageNew ? ['npm install'] : await stepsFor(join(folder, 'package.json'))),
    'npx nextevent dev',
  ];
  return [
    '',
    'Next:',
    '',
    ...steps,
    '',
    'Then, in another terminal, this starts a workflow; once more, and it wakes the first one and',
    'starts another:',
    '',
    CURL,
    '',
  ].join('\n');
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : JSON.stringify(path);
}

/** What a package.json that was there lacks, as commands. */
async function stepsFor(file: string): Promise<string[]> {
  const { type, scripts, dependencies, devDependencies } = await readPackage(file);
  const lacking = Object.entries(PROJECT_PACKAGE.scripts)
    .filter(([name]) => scripts?.[name] === undefined)
    .map(([name, command]) => `scripts.${name}="${command}"`);
  const settings = [...(type === 'module' ? [] : [`type=${PROJECT_PACKAGE.type}`]), ...lacking];
  const isDependency = 'nextevent' in { ...dependencies, ...devDependencies };
  return [
    ...(settings.length === 0 ? [] : [`npm pkg set ${settings.join(' ')}`]),
    ...(isDependency ? [] : ['npm install nextevent']),
  ];
}

interface PackageFile {
  readonly type?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

async function readPackage(file: string): Promise<PackageFile> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as PackageFile;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`${file} can not be read: ${why}`, { cause: error });
  }
}

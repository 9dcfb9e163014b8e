import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { resolveConfig, type Config } from './config.ts';
import { ConfigError } from './errors.ts';

/** What a configuration file is called, the first that is there. */
export const CONFIG_NAMES: readonly string[] = [
  'nextevent.config.ts',
  'nextevent.config.js',
  'nextevent.config.mjs',
];

const TYPESCRIPT = /\.([cm]?)tsx?$/;

/**
 * Loads and checks the configuration: the file given, else the one that `NEXTEVENT_CONFIG` names,
 * else `nextevent.config.ts`, `.js` or `.mjs` in the working directory.
 *
 * @throws ConfigError with one sentence that says what is wrong and in which file
 *
 * @example
 * const { sources, triggers } = await loadConfig();
 */
export async function loadConfig(path?: string): Promise<Config> {
  const file = findConfigFile(path);
  const name = basename(file);
  const loaded = await importFile(file);
  if (loaded.default === undefined) {
    throw new ConfigError(
      `${name} has no default export: write export default defineConfig({ … })`,
    );
  }
  try {
    const config = resolveConfig(loaded.default, dirname(file));
    return isTypeScript(file)
      ? config
      : { ...config, workflowsPath: compiled(config.workflowsPath) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`${name}: ${error.message}`, { cause: error });
  }
}

/**
 * The configuration file that `loadConfig` loads.
 *
 * @throws ConfigError if it is not there
 */
export function findConfigFile(path = process.env.NEXTEVENT_CONFIG): string {
  if (path !== undefined && path !== '') {
    const file = resolve(path);
    if (existsSync(file)) return file;
    throw new ConfigError(`there is no configuration file ${file}`);
  }
  const found = CONFIG_NAMES.map((name) => resolve(name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new ConfigError(
    `there is no nextevent.config.ts in ${process.cwd()}: write one (npx nextevent init does), or name it in NEXTEVENT_CONFIG`,
  );
}

/** Whether Node needs help to run the file. */
export function isTypeScript(file: string): boolean {
  return TYPESCRIPT.test(file);
}

/** The compiler leaves text as it is: beside a compiled configuration is what it made of the file. */
function compiled(workflowsPath: string): string {
  const javaScript = workflowsPath.replace(TYPESCRIPT, '.$1js');
  return existsSync(javaScript) ? javaScript : workflowsPath;
}

async function importFile(file: string): Promise<{ readonly default?: unknown }> {
  try {
    const loaded: { readonly default?: unknown } = await import(pathToFileURL(file).href);
    return isCompiledToCommonJs(loaded.default) ? loaded.default : loaded;
  } catch (error) {
    if (isConfigError(error)) throw new ConfigError(`${basename(file)}: ${error.message}`);
    throw new ConfigError(`${basename(file)} ${whyNot(error)}`, { cause: error });
  }
}

/** What such a module exports is the default export of what Node makes of it. */
function isCompiledToCommonJs(exported: unknown): exported is { readonly default?: unknown } {
  return typeof exported === 'object' && exported !== null && '__esModule' in exported;
}

/** By name, because the file may import another copy of the package. */
function isConfigError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ConfigError';
}

function whyNot(error: unknown): string {
  if (!(error instanceof Error)) return `can not be loaded: ${String(error)}`;
  if (isSyntaxError(error)) return `has a syntax error: ${reason(error.message)}`;
  if ('code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return 'is TypeScript: run node with --import tsx';
  }
  return `can not be loaded: ${firstLine(error.message)}`;
}

/** Also those of esbuild, through which tsx reads TypeScript. */
function isSyntaxError(error: Error): boolean {
  return error.name === 'SyntaxError' || error.name === 'TransformError';
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? '';
}

/** The compiler first says how many errors there are, and then which. */
function reason(message: string): string {
  const [first = '', second] = message.split('\n');
  return second ?? first;
}

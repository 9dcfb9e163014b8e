// The management API of an ingress, as commands ask it, and tables of what it answers.

import type { Command } from 'commander';

import { StartError } from '../dev/errors.ts';
import { createUrlOption } from './url-option.ts';

/** Where the management API of an ingress is that nobody has told otherwise. */
const DEFAULT_URL = `http://127.0.0.1:${process.env.MANAGEMENT_PORT || 9088}`;

/** What the help of such a command says of its environment. */
const ENVIRONMENT = `
Environment:
  NEXTEVENT_API_KEY  a key of role reader or admin, where the ingress has such keys
`;

/** What every command is told that asks it. */
export interface ApiOptions {
  readonly url: string;
  readonly json?: boolean;
}

/** Gives a command the options of all that ask the management API. */
export function withApi(command: Command, json = 'print JSON'): Command {
  return command
    .addOption(createUrlOption('the management API of an ingress', DEFAULT_URL))
    .option('--json', json)
    .addHelpText('after', ENVIRONMENT);
}

/** What is asked, if not for what is there. */
export interface Asking {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  /** @default none */
  readonly body?: unknown;
}

/** @throws StartError if there is no answer, or none that is of use */
export async function ask<T>(url: URL, { method, body }: Partial<Asking> = {}): Promise<T> {
  const key = process.env.NEXTEVENT_API_KEY;
  const headers = {
    ...(key && { authorization: `Bearer ${key}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
  const init = {
    headers,
    ...(method && { method }),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
  const response = await fetch(url, init).catch((error: unknown) => {
    throw new StartError(`no ingress answers at ${url.origin}: start one, or give its --url`, {
      cause: error,
    });
  });
  const answer = (await response.json()) as T & { readonly detail?: string };
  if (response.ok) return answer;
  throw new StartError(`${url.origin} answers ${response.status}: ${answer.detail ?? 'no reason'}`);
}

/** Columns are as wide as they must be. */
export function toTable(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const toLine = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return all.map(toLine).join('\n');
}

import { Command } from 'commander';

import type { Rejection } from '../ingress/rejections.ts';
import { ask, toTable, withApi, type ApiOptions } from './management.ts';

/** How many are listed, if nothing else is asked for. */
const LIMIT_DEFAULT = '20';

const HEAD = ['at', 'source', 'reason', 'status', 'from', 'request'];

interface RejectionsOptions extends ApiOptions {
  readonly limit: string;
}

interface RejectionsAnswer {
  readonly rejections: readonly Rejection[];
}

/** `nextevent rejections` */
export function createRejectionsCommand(): Command {
  return withApi(new Command('rejections'), 'print one JSON object for each request')
    .description('list the last requests that an ingress refused, and why')
    .argument('[source]', 'to this source only')
    .option('--limit <number>', 'at most so many', LIMIT_DEFAULT)
    .action(list);
}

async function list(
  source: string | undefined,
  { url, limit, json }: RejectionsOptions,
): Promise<void> {
  const asked = new URL('/api/v1/rejections', url);
  asked.search = new URLSearchParams({ limit, ...(source && { source }) }).toString();
  const { rejections } = await ask<RejectionsAnswer>(asked);
  if (json) for (const rejection of rejections) console.log(JSON.stringify(rejection));
  else if (rejections.length === 0) console.log('nothing was refused');
  else console.log(toTable(HEAD, rejections.map(toRow)));
}

function toRow(rejection: Rejection): readonly string[] {
  const { at, source, reason, status, remoteAddress, requestId } = rejection;
  return [at, source ?? '-', reason, String(status), remoteAddress ?? '?', requestId];
}

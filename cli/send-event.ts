// What `nextevent send` does, with all that it loads.

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';

import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { resolveSource } from '../config/subscribable.ts';
import { StartError } from '../dev/errors.ts';
import { samplesOf } from '../ingress/samples/index.ts';
import type { Fresh } from '../ingress/samples/sample.ts';
import { sampleDraft, toDraft, typeOf } from '../ingress/samples/to-draft.ts';
import type { Draft, Source } from '../ingress/sources/source.ts';
import { describeOff } from '../ingress/webhooks.ts';
import type { SendOptions } from './send.ts';

/** Sends a sample or a file to a source, and prints the answer; or the names of the samples. */
export async function sendEvent(
  name: string | undefined,
  content: string | undefined,
  options: SendOptions,
): Promise<void> {
  const config = await loadConfig();
  if (options.list) {
    for (const line of listSamples(config, name)) console.log(line);
    return;
  }
  if (name === undefined) throw new StartError('say to which source: nextevent send <source>');
  const source = sourceOf(config, name);
  if (source.missing.length > 0) throw new StartError(describeOff(name, source));
  const fresh: Fresh = { id: options.id ?? randomUUID(), at: new Date() };
  const draft = await draftOf(source, content, { ...options, fresh });
  const signed = await signedBy(source, draft, { ...options, fresh });
  const answer = await post(new URL(`/webhooks/${name}${signed.suffix}`, options.url), signed);
  console.log(`${answer.status} ${await answer.text()}`.trimEnd());
  if (!answer.ok) process.exitCode = 1;
}

interface SendSettings extends SendOptions {
  readonly fresh: Fresh;
}

function listSamples({ sources }: Config, name: string | undefined): readonly string[] {
  const names = name === undefined ? [...sources.keys()] : [name];
  return names.flatMap((one) => {
    const kind = sources.get(one)?.kind ?? '';
    return Object.keys(samplesOf(kind).bodies).map((sample) => `${one} ${sample}`);
  });
}

/** What is sent to is a source itself, not what starts with its events. */
function sourceOf(config: Config, name: string): Source {
  const source = config.sources.get(resolveSource({ ...config, triggers: [] }, name));
  if (source === undefined) throw new StartError(`there is no source "${name}"`);
  return source;
}

async function draftOf(
  { kind }: Source,
  content: string | undefined,
  { fresh, type }: SendSettings,
): Promise<Draft> {
  const samples = Object.keys(samplesOf(kind).bodies);
  const sample = sampleDraft(kind, content ?? samples[0] ?? '', fresh);
  if (sample !== undefined) return sample;
  const file = content ?? '';
  const body = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new StartError(
      `"${file}" is neither a file nor a sample of ${kind}: there are ${samples.join(', ')}`,
      { cause: error },
    );
  });
  return toDraft({ kind, type: type ?? typeOf(kind, basename(file, extname(file))), body }, fresh);
}

async function signedBy(
  source: Source,
  draft: Draft,
  { fresh, privateKey: file }: SendSettings,
): Promise<Draft> {
  const privateKey = file === undefined ? undefined : await readKey(file);
  try {
    return source.sign(draft, { ...fresh, ...(privateKey !== undefined && { privateKey }) });
  } catch (error) {
    // By name, because the configuration may import another copy of the package.
    if (!(error instanceof Error) || error.name !== 'SigningError') throw error;
    throw new StartError(error.message, { cause: error });
  }
}

function readKey(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new StartError(`the private key ${file} can not be read`, { cause: error });
  });
}

function post(url: URL, { method, headers, body }: Draft): Promise<Response> {
  return fetch(url, { method, headers, body }).catch((error: unknown) => {
    throw new StartError(`no ingress answers at ${url.origin}: start one, or give its --url`, {
      cause: error,
    });
  });
}

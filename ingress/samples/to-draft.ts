import type { Draft } from '../sources/source.ts';
import { samplesOf } from './index.ts';
import type { Fresh } from './sample.ts';

/** A body that is sent, and what is known of it. */
export interface Content {
  readonly kind: string;
  /** The type of the event, for providers that say it in a header. */
  readonly type: string;
  readonly body: unknown;
}

/** The request that a provider would make of the body, not signed yet. */
export function toDraft({ kind, type, body }: Content, fresh: Fresh): Draft {
  const isText = typeof body === 'string';
  return {
    method: 'POST',
    suffix: '',
    headers: { 'content-type': 'application/json', ...samplesOf(kind).headers(type, fresh) },
    body: isText ? body : JSON.stringify(body),
  };
}

/** The sample of that name: `pull_request.opened`; undefined if there is none. */
export function sampleDraft(kind: string, name: string, fresh: Fresh): Draft | undefined {
  const { bodies } = samplesOf(kind);
  if (!Object.hasOwn(bodies, name)) return undefined;
  return toDraft({ kind, type: typeOf(kind, name), body: bodies[name]?.(fresh) }, fresh);
}

/** What was done stands after the dot; only Standard Webhooks and the like have it in the type. */
export function typeOf(kind: string, name: string): string {
  return kind === 'github' || kind === 'linear' ? (name.split('.', 1)[0] ?? name) : name;
}

// The source of events that applications publish: CloudEvents, posted to /events/<source>
// with an API key.

import { ConfigError } from '../../config/errors.ts';
import { RequestError, SigningError, type Source } from './source.ts';

/** A name in the DNS, as `WebHook-Request-Origin` has it. */
const ORIGIN = /^(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i;

/** The settings of a source of published events. */
export interface PublishedOptions {
  /**
   * The senders that may deliver CloudEvents here as a webhook, by the DNS name that they send in
   * `WebHook-Request-Origin`; `'*'` is every sender. It only answers their question whether they may:
   * each event needs an API key all the same.
   *
   * @default none: such senders are not answered that they may
   */
  readonly allowedOrigins?: '*' | readonly string[];
}

/** A source that takes events at `/events/<source>`, and no webhooks. */
export interface PublishedSource extends Source {
  readonly kind: 'published';
  readonly allowedOrigins: '*' | ReadonlySet<string>;
}

/**
 * The source of events that applications publish: CloudEvents 1.0, posted to `/events/<source>` with
 * an API key of role `publisher` for the source.
 *
 * The event's `type`, `subject` and `time` are those of the CloudEvent, and its `data` is the
 * CloudEvent's. Its `id` is made of the CloudEvent's `source` and `id`: the same two again are the same
 * event.
 *
 * @throws ConfigError if an option is malformed
 *
 * @example
 * const orders = published({ allowedOrigins: ['shop.example.com'] });
 */
export function published({ allowedOrigins = [] }: PublishedOptions = {}): PublishedSource {
  return {
    kind: 'published',
    allowedOrigins: resolveOrigins(allowedOrigins),
    missing: [],
    async receive({ source }) {
      throw new RequestError(`events of ${source} are published, at /events/${source}`);
    },
    sign() {
      throw new SigningError('its events are published with an API key, and not signed');
    },
  };
}

export function isPublished(source: Source | undefined): source is PublishedSource {
  return source?.kind === 'published' && 'allowedOrigins' in source;
}

function resolveOrigins(origins: '*' | readonly string[]): '*' | ReadonlySet<string> {
  if (origins === '*') return origins;
  for (const origin of origins) {
    if (ORIGIN.test(origin)) continue;
    throw new ConfigError(`published: allowedOrigins has "${origin}", which is no DNS name`);
  }
  return new Set(origins.map((origin) => origin.toLowerCase()));
}

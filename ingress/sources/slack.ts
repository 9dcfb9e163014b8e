import type { Duration } from '@temporalio/common';

import {
  isForm,
  isObject,
  textAt,
  toContent,
  toObject,
  typeAt,
  valueAt,
  without,
} from './content.ts';
import type { Content } from './content.ts';
import { createSource } from './create-source.ts';
import { hmacScheme } from './hmac-scheme.ts';
import { isUnverified, resolveTolerance, TOLERANCE_DEFAULT } from './scheme.ts';
import type { SecretOptions, Unverified } from './secret.ts';
import { hashId, type SourceEvent } from './source-event.ts';
import type { Reply, Source, SourceRequest } from './source.ts';

/** The settings of a Slack source. */
export type SlackOptions = (SecretOptions | Unverified) & {
  /**
   * How far the time of the signature may be from now, both ways.
   *
   * @default 5 minutes
   */
  readonly tolerance?: Duration;
};

/** What Slack once verified requests with. It is still in their bodies, and is kept nowhere. */
const TOKENS: readonly string[] = ['token'];

/** Which event a slash command or an interaction is: Slack makes one for each. */
const TRIGGER_ID = 'trigger_id';

/**
 * Apps of Slack: the Events API, slash commands and interactions.
 *
 * Time and body are verified by `X-Slack-Signature`; the challenge of a new address is answered.
 * The event's type is that of the inner event (`app_mention`), `slash_command`, or the type of the
 * interaction (`block_actions`); its id is `event_id` or `trigger_id`; its data the body without
 * `token`, of an interaction what is in `payload`.
 *
 * @throws ConfigError if there is no secret
 *
 * @example
 * const source = slack({ secret: env('SLACK_SIGNING_SECRET') });
 */
export function slack(options: SlackOptions): Source {
  return createSource({
    kind: 'slack',
    scheme: isUnverified(options)
      ? undefined
      : hmacScheme(options.secret, {
          kind: 'slack',
          header: 'x-slack-signature',
          prefix: 'v0=',
          digest: { algorithm: 'sha256', encoding: 'hex' },
          timestamp: {
            header: 'x-slack-request-timestamp',
            unit: 'seconds',
            before: (time) => `v0:${time}:`,
          },
        }),
    toleranceMs: resolveTolerance(options.tolerance ?? TOLERANCE_DEFAULT, 'slack'),
    handshake,
    toEvents: (request) => [isForm(request) ? toFormEvent(request) : toJsonEvent(request.body)],
    // Whatever is in the answer to a command is shown to whoever gave it.
    acknowledge: () => ({ status: 200, body: '' }),
  });
}

function handshake(request: SourceRequest): Reply | undefined {
  const content = toContent(request);
  if (isForm(request)) return valueAt(content, 'ssl_check') === '1' ? { body: '' } : undefined;
  if (valueAt(content, 'type') !== 'url_verification') return undefined;
  return { body: { challenge: typeAt(content, 'challenge') } };
}

function toJsonEvent(body: Uint8Array): SourceEvent {
  const data = without(toObject(body), TOKENS);
  const inner = valueAt(data, 'event');
  return {
    type: textAt(inner, 'type') ?? typeAt(data, 'type'),
    data,
    id: textAt(data, 'event_id') ?? hashId(body),
  };
}

function toFormEvent(request: SourceRequest): SourceEvent {
  const fields = toContent(request);
  const payload = textAt(fields, 'payload');
  const data: Content =
    payload === undefined ? (isObject(fields) ? fields : {}) : toObject(Buffer.from(payload));
  const type = payload === undefined ? 'slash_command' : typeAt(data, 'type');
  const id = textAt(data, TRIGGER_ID) ?? hashId(request.body);
  return { type, data: without(data, TOKENS), id };
}

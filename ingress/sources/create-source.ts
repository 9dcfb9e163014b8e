// The way of a request through a source, the same for all kinds: verify, handshake,
// freshness, events. No kind can take another.

import { NO_SCHEME, type Scheme } from './scheme.ts';
import { checkSize, toEvent, type SourceEvent } from './source-event.ts';
import {
  RejectedError,
  type Received,
  type Reply,
  type Source,
  type SourceRequest,
} from './source.ts';

/** How many events one request may bring. */
export const EVENTS_MAX = 5_000;

/** What makes a kind of source. */
export type SourceSettings<Data = unknown> = CommonSettings & Taking<Data>;

/** What becomes of a request that is verified, fresh, and no handshake. */
export type Taking<Data = unknown> =
  | EventSettings
  | { handle(request: SourceRequest): Promise<Received<Data>> };

interface CommonSettings {
  readonly kind: string;
  /** `undefined`: nothing is verified, because the configuration says so. */
  readonly scheme: Scheme | undefined;
  /** For schemes that say when a request was signed. */
  readonly toleranceMs?: number | undefined;
  /** The answer to a request that is a question and no event. */
  handshake?(request: SourceRequest): Reply | undefined;
}

interface EventSettings {
  toEvents(request: SourceRequest): readonly SourceEvent[];
  /** What the sender has to hear, if 202 with the ids is not it. */
  acknowledge?(request: SourceRequest): Reply;
}

/** A source that is off while its scheme lacks a variable. */
export function createSource<Data = unknown>(settings: SourceSettings<Data>): Source<Data>;
export function createSource(settings: SourceSettings): Source {
  const { kind, scheme = NO_SCHEME, toleranceMs } = settings;
  return {
    kind,
    missing: scheme.missing,
    async receive(request) {
      const signedAt = await scheme.verify(request);
      const reply = settings.handshake?.(request);
      if (reply !== undefined) return { reply };
      if (signedAt !== undefined && toleranceMs !== undefined) checkFresh(signedAt, toleranceMs);
      return 'handle' in settings ? settings.handle(request) : takeEvents(settings, request);
    },
    sign: (draft, signing) => scheme.sign(draft, signing),
  };
}

function takeEvents(settings: EventSettings, request: SourceRequest): Received {
  const found = settings.toEvents(request);
  if (found.length > EVENTS_MAX) {
    throw new RejectedError('BODY_TOO_LARGE', `the body has more than ${EVENTS_MAX} events`);
  }
  const events = found.map((one) => toEvent(request.source, one));
  for (const event of events) checkSize(event, request.body.length);
  const acknowledgement = settings.acknowledge?.(request);
  return { events, ...(acknowledgement && { acknowledgement }) };
}

/** Both ways: a time that is still to come may be meant to hold for long. */
function checkFresh(signedAt: Date, toleranceMs: number): void {
  const apartMs = Math.abs(Date.now() - signedAt.getTime());
  // What is no time at all is apart by NaN, which is within nothing.
  if (apartMs <= toleranceMs) return;
  throw new RejectedError('TIMESTAMP', 'the request was signed too long ago, or in the future');
}

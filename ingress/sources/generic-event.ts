// The event of a sender that nobody knows, which the configuration describes.

import { toContent } from './content.ts';
import { checkPlace, idOf, placed, type EventIdPlace, type EventTypePlace } from './event-place.ts';
import type { SourceEvent } from './source-event.ts';
import type { SourceRequest } from './source.ts';

/** Where requests of such a sender say what they are. */
export interface EventPlaces {
  /**
   * Where the type of the event is.
   *
   * @default the HTTP method in lower case
   */
  readonly eventType?: EventTypePlace;
  /**
   * Where the id of the event is. Two requests with the same id are the same event, which reaches
   * everyone once.
   *
   * @default the header `Idempotency-Key`, `webhook-id` or `ce-id`, else a new UUID: without an id
   * of its own, a request that is sent again is a new event
   */
  readonly eventId?: EventIdPlace;
}

/**
 * What makes an event of the body: JSON, or the fields of a form.
 *
 * @throws ConfigError if a place is malformed
 */
export function toGenericEvent(
  { eventType, eventId }: EventPlaces,
  kind: string,
): (request: SourceRequest) => readonly SourceEvent[] {
  checkPlace(eventType, `${kind}: eventType`);
  checkPlace(eventId, `${kind}: eventId`);
  return (request) => [
    {
      type: placed(request, eventType, 'event type') ?? request.method.toLowerCase(),
      data: toContent(request),
      id: idOf(request, eventId),
    },
  ];
}

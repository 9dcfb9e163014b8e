import { isObject, textAt, toObject, typeAt, valueAt, without, type Content } from './content.ts';
import { createSource } from './create-source.ts';
import { isOneOf, isUnverified, signingSecret, unsigned, type Scheme } from './scheme.ts';
import { resolveSecrets, type Secrets, type Unverified } from './secret.ts';
import { hashId, type SourceEvent } from './source-event.ts';
import { RequestError, type Reply, type Source, type SourceRequest } from './source.ts';

/** The settings of a source of Microsoft Graph. */
export type MicrosoftGraphOptions =
  | Unverified
  | {
      readonly verify?: undefined;
      /** The `clientState` of the subscriptions: Graph sends it along with each notification. */
      readonly clientState: Secrets;
    };

/** Secrets and the like that are in notifications, and are kept nowhere. */
const TOKENS: readonly string[] = ['clientState'];

/**
 * Change notifications of Microsoft Graph, and what it says of the life of their subscriptions.
 *
 * Graph signs nothing: every notification must have the `clientState`, and the validation of an
 * address is answered. A body may hold several notifications: each is an event. Its type is
 * `changeType` (`created`) or `lifecycleEvent`, its subject the resource, its data the notification
 * without `clientState`, its id that of the notification or a hash of it.
 *
 * @throws ConfigError if there is no `clientState`
 *
 * @example
 * const source = microsoftGraph({ clientState: env('GRAPH_CLIENT_STATE') });
 */
export function microsoftGraph(options: MicrosoftGraphOptions): Source {
  return createSource({
    kind: 'microsoftGraph',
    scheme: isUnverified(options) ? undefined : toScheme(options.clientState),
    handshake,
    toEvents: ({ body }) => toNotifications(body).map(toEvent),
  });
}

function toScheme(clientState: Secrets): Scheme {
  const { values, missing } = resolveSecrets(clientState, 'microsoftGraph: clientState');
  return {
    missing,
    verify(request) {
      // Nothing is known of who validates an address; the answer tells nothing either.
      if (validationToken(request) !== undefined) return undefined;
      const notifications = toNotifications(request.body);
      const states = notifications.map((one) => textAt(one, 'clientState') ?? '');
      // Of all: one that is ours does not vouch for the others.
      const areOurs = states.every((state) => isOneOf(state, values));
      if (states.length === 0 || !areOurs) {
        throw unsigned('the clientState is not that of the source');
      }
      return undefined;
    },
    sign(draft) {
      const clientStateUsed = signingSecret(values, 'microsoftGraph');
      const value = toNotifications(Buffer.from(draft.body)).map((one) => ({
        ...one,
        clientState: clientStateUsed,
      }));
      return { ...draft, body: JSON.stringify({ value }) };
    },
  };
}

function validationToken({ url }: SourceRequest): string | undefined {
  return url.query.validationToken;
}

function handshake(request: SourceRequest): Reply | undefined {
  const body = validationToken(request);
  return body === undefined ? undefined : { body };
}

function toNotifications(body: Uint8Array): readonly Content[] {
  const list = valueAt(toObject(body), 'value');
  if (Array.isArray(list) && list.every(isObject)) return list;
  throw new RequestError('the body has no list of notifications at value');
}

function toEvent(notification: Content): SourceEvent {
  const data = without(notification, TOKENS);
  return {
    type: textAt(data, 'lifecycleEvent') ?? typeAt(data, 'changeType'),
    data,
    id: textAt(data, 'id') ?? hashId(JSON.stringify(data)),
    subject: textAt(data, 'resource'),
  };
}

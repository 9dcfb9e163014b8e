import { isObject, textAt, toObject, typeAt, valueAt, without, type Content } from './content.ts';
import { createSource } from './create-source.ts';
import { hmacScheme } from './hmac-scheme.ts';
import { isOneOf, isUnverified, type Scheme } from './scheme.ts';
import {
  resolveSecrets,
  type ResolvedSecrets,
  type SecretOptions,
  type Secrets,
  type Unverified,
} from './secret.ts';
import { hashId, type SourceEvent } from './source-event.ts';
import {
  RejectedError,
  RequestError,
  type Reply,
  type Source,
  type SourceRequest,
} from './source.ts';

/** The settings of a source of Meta. */
export type MetaOptions =
  | Unverified
  | (SecretOptions & {
      /** What was entered as the verify token where the address of the webhook was. */
      readonly verifyToken: Secrets;
    });

/** Where an entry lists what happened, by the kind of product, or the fields alone that changed. */
const LISTS = ['changes', 'messaging', 'standby', 'changed_fields'] as const;

/**
 * Webhooks of Meta: WhatsApp, Messenger, Instagram, pages.
 *
 * The body is verified by `X-Hub-Signature-256`, with the secret of the app; the request that sets
 * the webhook up is answered if it knows the verify token. A body may hold several entries with
 * several changes: each change is an event. Its type is the object and the field
 * (`whatsapp_business_account.messages`, `page.messaging`), its data the body with this change
 * alone. An entry that lists none is an event of its object (`user`). Meta has no ids for them: the
 * id is a hash of the change, its entry and the entry's time.
 *
 * @throws ConfigError if there is no secret or no verify token
 *
 * @example
 * const source = meta({ secret: env('META_APP_SECRET'), verifyToken: env('META_VERIFY_TOKEN') });
 */
export function meta(options: MetaOptions): Source {
  const isOpen = isUnverified(options);
  const tokens = isOpen ? undefined : resolveSecrets(options.verifyToken, 'meta: verifyToken');
  return createSource({
    kind: 'meta',
    scheme: isOpen || tokens === undefined ? undefined : toScheme(options, tokens),
    handshake: (request) => handshake(request, tokens),
    toEvents: ({ body }) => toEvents(toObject(body)),
    acknowledge: () => ({ status: 200 }),
  });
}

function toScheme({ secret }: SecretOptions, tokens: ResolvedSecrets): Scheme {
  const scheme = hmacScheme(secret, {
    kind: 'meta',
    header: 'x-hub-signature-256',
    prefix: 'sha256=',
    digest: { algorithm: 'sha256', encoding: 'hex' },
  });
  return {
    missing: [...scheme.missing, ...tokens.missing],
    // Nothing is signed in a handshake; its token is checked there, and it is never an event.
    verify: (request) => (isHandshake(request) ? undefined : scheme.verify(request)),
    sign: (draft, signing) => scheme.sign(draft, signing),
  };
}

function isHandshake({ method }: SourceRequest): boolean {
  return method === 'GET';
}

function handshake(request: SourceRequest, tokens: ResolvedSecrets | undefined): Reply | undefined {
  if (!isHandshake(request)) return undefined;
  const { query } = request.url;
  const challenge = query['hub.challenge'];
  const isKnown = tokens === undefined || isOneOf(query['hub.verify_token'] ?? '', tokens.values);
  if (query['hub.mode'] !== 'subscribe' || challenge === undefined || !isKnown) {
    throw new RejectedError('HANDSHAKE', 'the verify token is not that of the source');
  }
  return { body: challenge };
}

function toEvents(body: Content): readonly SourceEvent[] {
  const object = typeAt(body, 'object');
  return listAt(body, 'entry').flatMap((entry) => {
    const subject = textAt(entry, 'id');
    // Whatever else Meta tells is taken as it is: nobody would hear of what is passed over.
    if (!LISTS.some((list) => Object.hasOwn(entry, list))) {
      const id = hashId(object, JSON.stringify(entry));
      return [{ type: object, data: { object, entry: [entry] }, id, subject }];
    }
    const rest = without(entry, LISTS);
    return changesOf(entry).map(({ list, field, change }) => ({
      type: `${object}.${field}`,
      data: { object, entry: [{ ...rest, [list]: [change] }] },
      id: hashId(object, JSON.stringify(rest), list, JSON.stringify(change)),
      subject,
    }));
  });
}

/** One of what an entry lists, and what it is about. */
interface Change {
  readonly list: (typeof LISTS)[number];
  readonly field: string;
  readonly change: unknown;
}

function changesOf(entry: Content): readonly Change[] {
  const named = LISTS.flatMap((list) => {
    if (list === 'changed_fields') return [];
    return listAt(entry, list).map((change) => {
      return { list, field: list === 'changes' ? typeAt(change, 'field') : list, change };
    });
  });
  const fields = textsAt(entry, 'changed_fields');
  return [
    ...named,
    ...fields.map((field) => ({ list: 'changed_fields' as const, field, change: field })),
  ];
}

function listAt(content: Content, key: string): readonly Content[] {
  const list = valueAt(content, key) ?? [];
  if (Array.isArray(list) && list.every(isObject)) return list;
  throw new RequestError(`the body has something else than a list of objects at ${key}`);
}

function textsAt(content: Content, key: string): readonly string[] {
  const list = valueAt(content, key) ?? [];
  if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  throw new RequestError(`the body has something else than a list of texts at ${key}`);
}

import {
  eventHeader,
  isForm,
  requiredHeader,
  toFields,
  toObject,
  type Content,
} from './content.ts';
import { createSource } from './create-source.ts';
import { hmacScheme } from './hmac-scheme.ts';
import { isUnverified } from './scheme.ts';
import type { SecretOptions, Unverified } from './secret.ts';
import type { SourceEvent } from './source-event.ts';
import { RequestError, type Source, type SourceRequest } from './source.ts';

/** The settings of a GitHub source. */
export type GithubOptions = SecretOptions | Unverified;

/** Keys that the body of an event has, and keys by which it would be another event. */
interface Shape {
  readonly has: readonly string[];
  readonly lacks?: readonly string[];
}

/** GitHub signs the body alone, and says in a header what it is: so the two must fit. */
const SHAPES: ReadonlyMap<string, Shape> = new Map(
  Object.entries({
    check_run: { has: ['check_run'] },
    check_suite: { has: ['check_suite'], lacks: ['check_run'] },
    commit_comment: { has: ['comment'], lacks: ['issue', 'pull_request', 'discussion'] },
    create: { has: ['ref', 'ref_type', 'master_branch'] },
    delete: { has: ['ref', 'ref_type'], lacks: ['master_branch'] },
    deployment: { has: ['deployment'], lacks: ['deployment_status'] },
    deployment_status: { has: ['deployment_status'] },
    discussion: { has: ['discussion'], lacks: ['comment'] },
    discussion_comment: { has: ['discussion', 'comment'] },
    fork: { has: ['forkee'] },
    issue_comment: { has: ['issue', 'comment'] },
    issues: { has: ['issue'], lacks: ['comment'] },
    label: { has: ['label'], lacks: ['issue', 'pull_request', 'discussion'] },
    milestone: { has: ['milestone'], lacks: ['issue', 'pull_request'] },
    pull_request: { has: ['pull_request', 'number'], lacks: ['review', 'comment', 'thread'] },
    pull_request_review: { has: ['pull_request', 'review'], lacks: ['comment', 'thread'] },
    pull_request_review_comment: { has: ['pull_request', 'comment'], lacks: ['review', 'thread'] },
    pull_request_review_thread: { has: ['pull_request', 'thread'], lacks: ['review', 'comment'] },
    push: { has: ['ref', 'before', 'after', 'commits'] },
    release: { has: ['release'] },
    star: { has: ['starred_at'] },
    status: { has: ['sha', 'state', 'context'] },
    workflow_job: { has: ['workflow_job'] },
    workflow_run: { has: ['workflow_run'] },
  }),
);

/**
 * Webhooks of GitHub: of a repository, an organisation or an app.
 *
 * The body is verified by `X-Hub-Signature-256`. The event's type is `X-GitHub-Event`, which no
 * signature is over, so for the common events it is checked against the body; its id is
 * `X-GitHub-Delivery`, and its data the body. The ping of a new webhook is answered and is no event.
 *
 * @throws ConfigError if there is no secret
 *
 * @example
 * const source = github({ secret: env('GITHUB_WEBHOOK_SECRET') });
 */
export function github(options: GithubOptions): Source {
  return createSource({
    kind: 'github',
    scheme: isUnverified(options)
      ? undefined
      : hmacScheme(options.secret, {
          kind: 'github',
          header: 'x-hub-signature-256',
          prefix: 'sha256=',
          digest: { algorithm: 'sha256', encoding: 'hex' },
        }),
    handshake: (request) =>
      eventHeader(request, 'x-github-event') === 'ping' && 'hook_id' in toPayload(request)
        ? { body: { pong: true } }
        : undefined,
    toEvents,
  });
}

function toEvents(request: SourceRequest): readonly SourceEvent[] {
  const type = requiredHeader(request, 'x-github-event');
  const data = toPayload(request);
  const shape = SHAPES.get(type);
  if (shape !== undefined && !hasShape(data, shape)) {
    throw new RequestError(`the body is not that of the event that x-github-event names`);
  }
  return [{ type, data, id: eventHeader(request, 'x-github-delivery') }];
}

/** Of a webhook with the content type of a form, the body is one field. */
function toPayload(request: SourceRequest): Content {
  const { body } = request;
  return toObject(isForm(request) ? Buffer.from(toFields(body).get('payload') ?? '') : body);
}

function hasShape(data: Content, { has, lacks = [] }: Shape): boolean {
  const isThere = (key: string): boolean => Object.hasOwn(data, key);
  return has.every(isThere) && !lacks.some(isThere);
}

// The last requests that were refused, so that an operator sees why a sender's events do not come.

/** Why a request was refused. */
export const REJECTION_REASONS = [
  'SIGNATURE',
  'TIMESTAMP',
  'BODY_TOO_LARGE',
  'PARSE',
  'HANDSHAKE',
  'RATE_LIMIT',
  'CREDENTIALS',
  'NOT_FOUND',
  'UNAVAILABLE',
  'INTERNAL',
] as const;

export type RejectedFor = (typeof REJECTION_REASONS)[number];

/** So many of them are remembered. */
const REMEMBERED_MAX = 1_000;

const REASON_OF_STATUS: ReadonlyMap<number, RejectedFor> = new Map([
  [401, 'CREDENTIALS'],
  [403, 'CREDENTIALS'],
  [404, 'NOT_FOUND'],
  [413, 'BODY_TOO_LARGE'],
  [429, 'RATE_LIMIT'],
  [503, 'UNAVAILABLE'],
]);

/** A request that was refused. Nothing is kept of its body, its headers or its query. */
export interface Rejection {
  /** When, in the format of RFC 3339. */
  readonly at: string;
  /** Null if there is no such source. */
  readonly source: string | null;
  readonly reason: RejectedFor;
  readonly status: number;
  /** Null if the client has gone. */
  readonly remoteAddress: string | null;
  readonly requestId: string;
}

export interface RejectionsRequest {
  /** Of this source only. */
  readonly source?: string | undefined;
  readonly limit: number;
}

/** The last rejections, in memory. */
export class Rejections {
  readonly #last: Rejection[] = [];

  add(rejection: Rejection): void {
    this.#last.push(rejection);
    if (this.#last.length > REMEMBERED_MAX) this.#last.shift();
  }

  /** The newest first. */
  list({ source, limit }: RejectionsRequest): readonly Rejection[] {
    const asked = this.#last.filter((one) => source === undefined || one.source === source);
    return asked.toReversed().slice(0, limit);
  }
}

/** The reason that an error gives itself, else what its status says. */
export function toReason(error: unknown, status: number): RejectedFor {
  const own = error instanceof Error && 'reason' in error ? error.reason : undefined;
  const known = REJECTION_REASONS.find((reason) => reason === own);
  return known ?? REASON_OF_STATUS.get(status) ?? (status >= 500 ? 'INTERNAL' : 'PARSE');
}

// The question of CloudEvents senders whether they may deliver here as a webhook: OPTIONS with
// the DNS name of the sender. The answer is in headers; its status says nothing.

import type { Request, Response } from 'express';

import type { RateLimits } from '../config/rate-limits.ts';
import type { PublishedSource } from './sources/published.ts';

/** What is answered from. */
export interface HandshakeDeps {
  readonly source: PublishedSource;
  readonly rateLimits?: RateLimits;
}

/** At once: an address in `WebHook-Request-Callback` is called by nobody here. */
export function answerHandshake(request: Request, response: Response, deps: HandshakeDeps): void {
  response.set('Allow', 'POST, OPTIONS');
  const origin = request.get('WebHook-Request-Origin')?.trim().toLowerCase();
  if (origin !== undefined && isAllowed(deps.source, origin)) {
    response.set('WebHook-Allowed-Origin', origin);
    response.set('WebHook-Allowed-Rate', allowedRate(request, deps.rateLimits));
  }
  response.status(200).end();
}

function isAllowed({ allowedOrigins }: PublishedSource, origin: string): boolean {
  return allowedOrigins === '*' || allowedOrigins.has(origin);
}

/** In requests per minute: what is asked for, but no more than there is. */
function allowedRate(request: Request, { perSource, perKey }: RateLimits = {}): string {
  const most = Math.min(perSource ?? Infinity, perKey ?? Infinity);
  const asked = request.get('WebHook-Request-Rate') ?? '';
  const rate = /^[1-9]\d{0,8}$/.test(asked) ? Math.min(Number(asked), most) : most;
  return rate === Infinity ? '*' : String(rate);
}

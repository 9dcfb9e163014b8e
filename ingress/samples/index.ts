// The samples, by the kind of source.

import * as code from './code.ts';
import * as commerce from './commerce.ts';
import * as messages from './messages.ts';
import { NO_HEADERS, type Samples } from './sample.ts';

/** For senders that nobody knows: their id is in a header that every such source reads. */
const generic: Samples = {
  headers: (_type, { id }) => ({ 'idempotency-key': id }),
  bodies: { hello: ({ id, at }) => ({ id, type: 'hello', at, text: 'hello' }) },
};

export const SAMPLES: Readonly<Record<string, Samples>> = {
  ...code,
  ...commerce,
  ...messages,
  webhook: generic,
  hmac: generic,
  bearer: generic,
  basic: generic,
  apiKey: generic,
};

/** The samples of a kind of source; of one's own kind, those that any sender could send. */
export function samplesOf(kind: string): Samples {
  const known = Object.hasOwn(SAMPLES, kind) ? SAMPLES[kind] : undefined;
  return known ?? { ...generic, headers: NO_HEADERS };
}

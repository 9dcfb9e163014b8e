// The transport that sends nothing: for listeners whose deliveries are only to be on record.

import type { Transport } from './transport.ts';

export const noop: Transport = {
  async send() {
    return { isSuccessful: true, message: 'not sent' };
  },
};

import { test } from 'node:test';

import { sendRandomRequests } from './many-random-requests.ts';

/** `npm run test:extra` sends ten times as many. */
const REQUESTS = 10_000;

const SEED = 6;

test(
  `${REQUESTS} random requests crash nothing, leave nothing, and are all answered`,
  { timeout: 600_000 },
  async (t) => {
    t.diagnostic(JSON.stringify(await sendRandomRequests(REQUESTS, SEED)));
  },
);

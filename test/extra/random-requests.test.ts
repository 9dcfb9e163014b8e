import { test } from 'node:test';

import { sendRandomRequests } from '../many-random-requests.ts';

const REQUESTS = 100_000;

const SEED = 66;

test(
  `${REQUESTS} random requests crash nothing, leave nothing, and are all answered`,
  { timeout: 1_200_000 },
  async (t) => {
    t.diagnostic(JSON.stringify(await sendRandomRequests(REQUESTS, SEED)));
  },
);

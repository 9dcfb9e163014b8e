// `npm start` and, with --reload, `npm run dev`: Temporal, the worker and the ingress.

import { toSentence } from './errors.ts';
import { runDev } from './run.ts';
import { resolveSettings } from './settings.ts';

try {
  process.exit(await runDev(resolveSettings(process.env, process.argv.slice(2))));
} catch (error) {
  console.error(toSentence(error));
  process.exit(1);
}

// Has the Temporal SDK download the CLI into the folder given, and checks that it runs. A program
// of its own, because a download that hangs can only be ended together with its process.

import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir] = process.argv.slice(2);
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir } },
});
await environment.teardown();

// The process that bench/ingest.ts holds against the ingress: an Express route that parses the
// body and asks Temporal one question about a workflow.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { Client, Connection } from '@temporalio/client';
import express from 'express';

import { sourceWorkflowId } from '../workflows/messages.ts';

const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '' });
const client = new Client({ connection });

const app = express();
app.use(express.json({ limit: '1mb' }));
app.post('/webhooks/:source', async (request, response) => {
  await client.workflow.getHandle(sourceWorkflowId(request.params.source)).describe();
  response.status(202).json({ id: randomUUID() });
});
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('disconnect', () => process.exit(0));
process.send?.({ type: 'ready', port: (server.address() as AddressInfo).port });

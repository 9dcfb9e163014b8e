// PUBLIC: what one's own Express process imports from `nextevent/ingress`.
//
// The application answers whatever it is given, so it is mounted at the root, after the routes that
// are one's own and before anything that reads the bodies of requests:
//
//   const config = await loadConfig();
//   const dispatcher = await createDispatcher({
//     connectionOptions: { address: '127.0.0.1:7233' },
//     namespace: 'default',
//     sources: [...config.sources.keys()],
//     triggers: config.triggers,
//   });
//   const app = express();
//   app.get('/mine', (_request, response) => response.send('mine'));
//   app.use(createApp({ sources: config.sources, dispatcher, ready: async () => [], log: console.log }));
//   createServer(app).listen(8088);

export type { Config } from '../config/config.ts';
export { ConfigError } from '../config/errors.ts';
export { loadConfig } from '../config/load.ts';
export {
  createDispatcher,
  type Dispatched,
  type Dispatcher,
  type DispatcherOptions,
} from '../dispatch/dispatcher.ts';
export { UnavailableError } from '../dispatch/errors.ts';
export { SOURCE_TASK_QUEUE } from '../workflows/messages.ts';
export { createApp, createServer, type AppDeps } from './app.ts';
export type { Ready } from './health.ts';
export { createReadiness, type ReadinessOptions } from './readiness.ts';

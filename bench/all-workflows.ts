// What the worker of the measurements runs.

export { bareSource, registerBare, registerReal } from './registering.ts';
export { count } from './counting.ts';
export { waitForEvents, waitForSignals } from './workflows.ts';

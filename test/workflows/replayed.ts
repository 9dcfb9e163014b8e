// Every workflow of a user's that has a history in `test/histories`.

export { approval } from '../../examples/01-approval.ts';
export * from './index.ts';

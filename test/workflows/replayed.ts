// Every workflow of a user's that has a history in `test/histories`.

export {
  account,
  approval,
  fulfilment,
  hello,
  meow,
  reminder,
  silence,
} from '../../examples/index.ts';
export * from './index.ts';

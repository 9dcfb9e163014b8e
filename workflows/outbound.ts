// Every workflow of the outbound side; a worker runs them on a task queue of their own.

export { nexteventDelivery } from './delivery.ts';
export { nexteventListener } from './listener.ts';

// Every workflow of the outbound side; a worker runs them on a task queue of their own.

export { nexteventDelivery } from './delivery.ts';
export { nexteventDeployment } from './deployment.ts';
export { nexteventListener } from './listener.ts';

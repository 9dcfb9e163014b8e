// Workflows that create and change listeners.

import {
  activateListener,
  cel,
  changeListener,
  createListener,
  deactivateListener,
  removeListener,
  type ListenerOptions,
} from 'nextevent/workflow';

/** Everything that can be done with a listener, and what came of it. */
export async function manageListener(source: string, customer: string): Promise<unknown[]> {
  const url = 'https://managed.example/hooks';
  const filter = cel`data.body.json.customer == ${customer}`;
  const id = await createListener({ name: 'managed', source, filter, url, retryMs: [] });
  return [
    id,
    await deactivateListener(id, 'the customer has not paid'),
    await deactivateListener(id),
    await activateListener(id),
    await changeListener(id, { url: `${url}/v2` }),
    await changeListener(id, { url: `${url}/v2` }),
  ];
}

export async function endListener(id: string): Promise<boolean[]> {
  return [await removeListener(id), await removeListener(id)];
}

export function createTwo(options: ListenerOptions): Promise<string[]> {
  return Promise.all([createListener(options), createListener(options)]);
}

/** The type and the message of the failure. */
export async function failToManage(
  action: 'create' | 'change' | 'activate',
  about: string,
): Promise<readonly unknown[]> {
  try {
    if (action === 'create') await createListener({ url: about });
    else if (action === 'change') await changeListener(about, { filter: '' });
    else await activateListener(about);
    return [];
  } catch (error) {
    const { type, message } = error as { readonly type?: string; readonly message: string };
    return [type, message];
  }
}

import type { SubscriberClient } from '../dispatch/subscriber-client.ts';
import { SOURCE_ATTRIBUTE } from '../workflows/messages.ts';

/**
 * Whether the namespace has the search attribute that names the sources of a workflow. Asked
 * at once, and only once; where it is missing, one line says what that means.
 */
export function createSearchable(
  subscribers: SubscriberClient,
  namespace: string,
): () => Promise<boolean> {
  let known: Promise<boolean> | undefined;
  const isSearchable = (): Promise<boolean> => {
    known ??= ask(subscribers, namespace).catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
  // Whoever needs to know it asks again.
  isSearchable().catch(() => {});
  return isSearchable;
}

async function ask(subscribers: SubscriberClient, namespace: string): Promise<boolean> {
  const isSearchable = await subscribers.isSearchable();
  if (!isSearchable) console.warn(toWarning(namespace));
  return isSearchable;
}

function toWarning(namespace: string): string {
  return (
    `namespace ${namespace} has no search attribute ${SOURCE_ATTRIBUTE}: workflows can not be found ` +
    'by the sources that they subscribe to. To add it: temporal operator search-attribute create ' +
    `--namespace ${namespace} --name ${SOURCE_ATTRIBUTE} --type KeywordList`
  );
}

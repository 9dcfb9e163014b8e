// How a workflow tells a source that it holds a subscription, or no longer does.
//
// Registering is a local activity: it is short, and its result must be in history
// before `subscribe` returns. Unregistering never is one: a workflow task that is
// executed again may take another path, and must not have ended what that path holds;
// an ordinary activity is scheduled by the task's own commit.

import {
  CancellationScope,
  getRandomStream,
  patched,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

import type { createRegistrationActivities, Registered } from '../activities/registration.ts';
import { runTag, type SubscriptionId } from '../events/subscription.ts';
import type { Inbox } from './inbox.ts';
import { toEnded, type Ended, type Wish } from './inbox-state.ts';

type RegistrationActivities = ReturnType<typeof createRegistrationActivities>;

/** Registrations of what is held already, while they are on their way. */
let registeringAgain: Promise<unknown> | undefined;

/** What the sources are being told of has ended. */
const onTheirWay = new Map<SubscriptionId, Promise<unknown>>();

/** How long the end of a workflow waits for its sources to hear of it. */
const END_TIMEOUT_MS = 10_000;

const { nexteventRegister } = proxyLocalActivities<RegistrationActivities>({
  startToCloseTimeout: 2_000,
  retry: { initialInterval: 20, maximumInterval: 500 },
});

const { nexteventUnregister, nexteventRegisterAgain, nexteventSuspend } =
  proxyActivities<RegistrationActivities>({
    startToCloseTimeout: 5_000,
    retry: { initialInterval: 100, maximumInterval: 10_000 },
  });

const { nexteventWithdraw } = proxyActivities<RegistrationActivities>({
  startToCloseTimeout: 10_000,
  retry: { initialInterval: 100, maximumInterval: 1_000 },
});

const { nexteventUnregister: unregisterAtEnd } = proxyActivities<RegistrationActivities>({
  startToCloseTimeout: 2_000,
  scheduleToCloseTimeout: END_TIMEOUT_MS,
  retry: { initialInterval: 100, maximumInterval: 1_000 },
});

/**
 * An id for a new subscription. Made of the run's own randomness, so that it is the same
 * when the task is executed again, and of what is subscribed to, so that a task that takes
 * another path does not give the id to another subscription.
 */
export function mintSubscriptionId(source: string, filter: string): SubscriptionId {
  const random = getRandomStream('nextevent').uuid4();
  const hash = bytesToHex(sha256(utf8ToBytes(`${random}\0${source}\0${filter}`)));
  // RFC 9562, version 8: a UUID whose bits are the application's.
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join('-');
}

/** Returns once the registration is durable in the source workflow. */
export async function register(wish: Wish): Promise<Registered> {
  // Older histories have no result.
  return (await nexteventRegister(toRequest(wish))) ?? {};
}

/**
 * Registers all that is held, because its sources may have dropped it, or suspended it. Nothing
 * that goes on waits for it. It is retried for as long as the run goes on, and then by the next.
 */
export function registerAgain(inbox: Inbox): void {
  inbox.resume(thisRun());
  if (inbox.held.length === 0) {
    inbox.resumed();
    return;
  }
  const requests = inbox.held.map(toRequest);
  const registering = CancellationScope.nonCancellable(() => nexteventRegisterAgain(requests));
  registeringAgain = registering.then(() => inbox.resumed()).catch(() => {});
}

/** Tells the sources that this run takes no more events. */
export function suspend(inbox: Inbox): void {
  const run = thisRun();
  const suspended = inbox.held.map((held) => ({ ...toEnded(held), run: held.run ?? run }));
  CancellationScope.nonCancellable(() => nexteventSuspend(suspended, run)).catch(() => {});
}

/** Tells this run from the others of its workflow. */
export function thisRun(): string {
  return runTag(workflowInfo().runId);
}

/** Tells the sources of everything that ended. Retried for as long as the workflow runs. */
export function release(inbox: Inbox): void {
  const releasing = untold(inbox);
  if (releasing.length === 0) return;
  const telling: Promise<void> = CancellationScope.nonCancellable(() =>
    afterRegistering(() => nexteventUnregister(releasing)),
  )
    .then(() => inbox.released(releasing.map(({ id }) => id)))
    .catch(() => {
      // Only the end of the run ends it; what is left over goes when it is next signalled.
    })
    .finally(() => {
      for (const { id } of releasing) if (onTheirWay.get(id) === telling) onTheirWay.delete(id);
    });
  for (const { id } of releasing) onTheirWay.set(id, telling);
}

/**
 * Returns once its source gives it nothing of what comes from then on, and everything that came before
 * `since` has left the backlog. What is on its way still comes, and is still for it.
 */
export async function withdraw(inbox: Inbox, id: SubscriptionId, since: number): Promise<void> {
  const held = inbox.held.find((one) => one.id === id);
  if (held === undefined) return;
  await CancellationScope.nonCancellable(() =>
    afterRegistering(() => nexteventWithdraw(toEnded(held), since)),
  );
}

/** Ends every subscription, because the workflow ends. Bounded in time, and never fails. */
export async function releaseAll(inbox: Inbox): Promise<void> {
  inbox.dismissWaiters();
  for (const { id } of inbox.held) inbox.end(id);
  const releasing = untold(inbox);
  // An answer that comes while a task ends the workflow has it done again, from the beginning.
  const heard = tellsOnce() && CancellationScope.nonCancellable(() => afterRegistering(hearAll));
  if (releasing.length > 0) {
    try {
      await CancellationScope.nonCancellable(() =>
        afterRegistering(() => unregisterAtEnd(releasing)),
      );
      // There may be a next run, for what its trigger brought: it need not tell them again.
      inbox.released(releasing.map(({ id }) => id));
    } catch {
      // The sources drop them when an event finds that the workflow is gone.
    }
  }
  if (heard) await heard;
}

/** What ended, and no source is being told of. */
function untold(inbox: Inbox): readonly Ended[] {
  const { releasing } = inbox;
  return tellsOnce() ? releasing.filter(({ id }) => !onTheirWay.has(id)) : releasing;
}

/** Whether something is on its way, which in the histories of older code is told again. */
function tellsOnce(): boolean {
  return onTheirWay.size > 0 && patched('tells-once');
}

/** Returns once all that is on its way is heard, or time is up. */
async function hearAll(): Promise<void> {
  const { over, timer } = beforeTheEnd(Promise.all(onTheirWay.values()));
  await over;
  timer.cancel();
}

/** What is being registered again must not come back after its end. */
async function afterRegistering(unregister: () => Promise<void>): Promise<void> {
  if (registeringAgain !== undefined) {
    const { over, timer } = beforeTheEnd(registeringAgain);
    await over;
    timer.cancel();
  }
  await unregister();
}

/** Is over when what is awaited is, but no later than the end of a workflow may be. */
function beforeTheEnd(awaited: Promise<unknown>) {
  const timer = new CancellationScope();
  return { over: Promise.race([awaited, timer.run(() => sleep(END_TIMEOUT_MS))]), timer };
}

function toRequest({ id, source, filter, resolved }: Wish) {
  const { workflowId, firstExecutionRunId: firstRunId } = workflowInfo();
  const request = { id, source, filter, workflowId, firstRunId, run: thisRun() };
  return { ...request, ...(resolved !== undefined && { resolved }) };
}

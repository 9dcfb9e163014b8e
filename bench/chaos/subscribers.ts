// Subscribers that come and go the whole time. Each has a place of its own; who has ended is
// followed by another, half of the time under the same workflow id.
//
// What ends a subscription, or its workflow, is an event for that very subscription that says so: a
// *fence*. It is posted like every other, so what was acknowledged before must have come out of
// `nextEvent` before it does. Only a cancellation comes from outside, at any moment.

import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';

import type { SubscriptionId } from '../../events/subscription.ts';
import { now, sleep } from './clock.ts';
import { bodyFor, randomWanted, type Command, type Wanted } from './filters.ts';
import type { Random } from './random.ts';
import type { Ending, HeldSubscription } from './records.ts';
import { NotHeardError, type Reports } from './reports.ts';
import type { Sender } from './sender.ts';
import { describeChain, persistently } from './temporal.ts';
import type { Life } from './workflows.ts';

const SUBSCRIPTIONS_MAX = 3;

/** How often it is looked whether a workflow has ended. */
const LOOK_MS = 250;

/** How long a subscriber is left alone between two changes. */
const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 12_000;

export interface SubscriberDeps {
  readonly client: Client;
  readonly sender: Sender;
  readonly reports: Reports;
  /** Whether workflows are terminated, too. */
  readonly terminates: boolean;
  /** Aborted when the load has ended. */
  readonly signal: AbortSignal;
}

/** A workflow, from its start to the last of the runs that it continues as. */
export interface Chain {
  readonly workflowId: string;
  readonly firstRunId: string;
}

/** How many subscriptions a workflow was told to make, and since when. */
interface Told {
  readonly count: number;
  readonly toldAt: number;
}

/** One place, and everybody who has had it. */
export class SubscriberPlace {
  readonly chains: Chain[] = [];
  /** Its first workflow holds what it was told to. */
  readonly begun: Promise<void>;
  #begin = (): void => {};
  readonly #number: number;
  readonly #deps: SubscriberDeps;
  readonly #random: Random;
  readonly #endings = new Map<SubscriptionId, Ending>();
  readonly #toldAt = new Map<SubscriptionId, number>();
  #count = 0;
  #unsettled: string | undefined;

  constructor(number: number, deps: SubscriberDeps, random: Random) {
    this.#number = number;
    this.#deps = deps;
    this.#random = random;
    this.begun = new Promise((resolve) => (this.#begin = resolve));
  }

  /** What its workflow did not do, if it waits for it still. */
  get unsettled(): string | undefined {
    return this.#unsettled;
  }

  /** Every subscription that was held, as far as its workflow has told. */
  get subscriptions(): HeldSubscription[] {
    return this.chains.flatMap(({ workflowId, firstRunId }) =>
      this.#deps.reports.heldBy(firstRunId).map(({ subscription: id, wanted, heardAt }) => ({
        id,
        workflowId,
        firstRunId,
        ...wanted,
        toldAt: this.#toldAt.get(id) ?? 0,
        heldAt: heardAt,
        ending: this.#endings.get(id) ?? { kind: 'open' },
      })),
    );
  }

  /** Ends once the load has ended, and its last subscriber has, too. */
  async run(): Promise<void> {
    try {
      while (!this.#deps.signal.aborted) await this.#live();
    } catch (error) {
      if (!(error instanceof NotHeardError)) throw error;
      this.#unsettled = error.message;
    }
  }

  /** From the start of a subscriber to its end. */
  async #live(): Promise<void> {
    const wanted = Array.from({ length: 1 + this.#random.below(SUBSCRIPTIONS_MAX) }, () =>
      randomWanted(this.#random),
    );
    const toldAt = now();
    const chain = await this.#start(wanted);
    const held = new Map<SubscriptionId, Wanted>();
    await this.#untilHeld(chain, held, { count: wanted.length, toldAt });
    this.#begin();
    let runs = 0;
    for (;;) {
      await this.#pause();
      const choice = this.#random.next();
      if (this.#deps.signal.aborted || choice < 0.15) return this.#finish(chain, held);
      if (choice < 0.22) return this.#cancel(chain, held);
      if (choice < 0.27 && this.#deps.terminates) return this.#terminate(chain, held);
      if (choice < 0.45) {
        runs += 1;
        await this.#continue(chain, held, runs);
      } else {
        await this.#change(chain, held);
      }
    }
  }

  async #start(wanted: readonly Wanted[]): Promise<Chain> {
    const { client } = this.#deps;
    const name = `subscriber-${this.#number}`;
    const workflowId = this.#number % 2 === 0 ? name : `${name}-${this.#count}`;
    this.#count += 1;
    const life: Life = { wanted, runs: 0, subscriptions: [], held: [], received: [] };
    try {
      await persistently(client, () =>
        client.workflow.start('subscriber', { workflowId, taskQueue: 'chaos', args: [life] }),
      );
    } catch (error) {
      // An attempt that was not answered has started it. Nothing but this place uses the id.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    const { firstRunId } = await describeChain(client, workflowId);
    const chain = { workflowId, firstRunId };
    this.chains.push(chain);
    return chain;
  }

  /** Waits for the reports of subscriptions that are not known yet. */
  async #untilHeld(chain: Chain, held: Map<string, Wanted>, told: Told): Promise<void> {
    for (let heard = 0; heard < told.count; heard += 1) {
      const report = await this.#deps.reports.until(
        `${chain.workflowId} to hold another subscription`,
        ({ kind, firstRunId, ...rest }) =>
          kind === 'held' &&
          firstRunId === chain.firstRunId &&
          'wanted' in rest &&
          !held.has(rest.subscription) &&
          !this.#endings.has(rest.subscription),
      );
      if (report.kind !== 'held') continue;
      held.set(report.subscription, report.wanted);
      this.#toldAt.set(report.subscription, told.toldAt);
    }
  }

  /** Ends one subscription, and makes none, one or more in its place. */
  async #change(chain: Chain, held: Map<string, Wanted>): Promise<void> {
    const [id] = this.#pickHeld(held);
    const rest = held.size - 1;
    const least = rest === 0 ? 1 : 0;
    const count = Math.max(least, this.#random.below(SUBSCRIPTIONS_MAX - rest + 1));
    const instead = Array.from({ length: count }, () => randomWanted(this.#random));
    const at = await this.#command(held, { subscription: id, do: 'unsubscribe', instead });
    await this.#deps.reports.until(
      `${chain.workflowId} to end ${id}`,
      (report) => report.kind === 'released' && report.subscription === id,
    );
    this.#endings.set(id, { kind: 'fence', at });
    held.delete(id);
    await this.#untilHeld(chain, held, { count, toldAt: at });
  }

  async #continue(chain: Chain, held: Map<string, Wanted>, runs: number): Promise<void> {
    const [id] = this.#pickHeld(held);
    await this.#command(held, { subscription: id, do: 'continue' });
    await this.#deps.reports.until(
      `${chain.workflowId} to continue as new`,
      (report) =>
        report.kind === 'continued' &&
        report.firstRunId === chain.firstRunId &&
        report.runs === runs,
    );
  }

  /** Fences for all subscriptions; the last ends the workflow, with the others still held. */
  async #finish(chain: Chain, held: Map<string, Wanted>): Promise<void> {
    const [last] = this.#pickHeld(held);
    await this.#drain(chain, held, last);
    const how = this.#random.next() < 0.6 ? 'return' : 'fail';
    const at = await this.#command(held, { subscription: last, do: how });
    await this.#untilEnded(chain);
    this.#endings.set(last, { kind: 'fence', at });
  }

  async #drain(chain: Chain, held: Map<string, Wanted>, except?: string): Promise<void> {
    for (const id of held.keys()) {
      if (id === except) continue;
      const at = await this.#command(held, { subscription: id, do: 'drain' });
      await this.#deps.reports.until(
        `${chain.workflowId} to drain ${id}`,
        (report) => report.kind === 'drained' && report.subscription === id,
      );
      this.#endings.set(id, { kind: 'fence', at });
    }
  }

  async #cancel(chain: Chain, held: Map<string, Wanted>): Promise<void> {
    const { client } = this.#deps;
    const at = now();
    for (const id of held.keys()) this.#endings.set(id, { kind: 'cut', at });
    await persistently(client, () => client.workflow.getHandle(chain.workflowId).cancel());
    await this.#untilEnded(chain);
  }

  async #terminate(chain: Chain, held: Map<string, Wanted>): Promise<void> {
    const { client } = this.#deps;
    await this.#drain(chain, held);
    await persistently(client, () => client.workflow.getHandle(chain.workflowId).terminate());
    await this.#untilEnded(chain);
  }

  async #untilEnded(chain: Chain): Promise<void> {
    for (;;) {
      const { isRunning } = await describeChain(this.#deps.client, chain.workflowId);
      if (!isRunning) return;
      if (this.#deps.reports.isOver) throw new NotHeardError(`${chain.workflowId} to end`);
      await sleep(LOOK_MS);
    }
  }

  /** Posts an event that one of the subscriptions wants, with a command. Returns when it began. */
  async #command(held: ReadonlyMap<string, Wanted>, command: Command): Promise<number> {
    const wanted = held.get(command.subscription);
    if (wanted === undefined) throw new Error(`${command.subscription} is not held`);
    const body = { ...bodyFor(wanted.filter, this.#random), command };
    return (await this.#deps.sender.post(wanted.source, body)).postedAt;
  }

  #pickHeld(held: ReadonlyMap<string, Wanted>): [SubscriptionId, Wanted] {
    const [first, ...others] = held;
    if (first === undefined) throw new Error('a subscriber holds nothing');
    return this.#random.pick([first, ...others]);
  }

  /** Ends early when the load has ended. */
  async #pause(): Promise<void> {
    const { signal } = this.#deps;
    const ms = this.#random.between(PAUSE_MS_MIN, PAUSE_MS_MAX);
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end, { once: true });
      function end(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      }
    });
  }
}

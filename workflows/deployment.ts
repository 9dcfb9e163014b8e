// The entity workflow of a project's deployments: it knows which static listeners there are. One
// deployment follows the other, and each is finished, or goes on in the next worker: so two
// processes with different configurations never undo each other's work halfway.

import {
  allHandlersFinished,
  condition,
  makeContinueAsNewFunc,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';

import type { createDeploymentActivities } from '../activities/deployment.ts';
import { runTag } from '../events/subscription.ts';
import {
  deployUpdate,
  type Deployed,
  type DeployedListener,
  type DeploymentInput,
  type DeploymentMemo,
  type DeployRequest,
  type StaticListener,
} from './deployment-messages.ts';

/** After so many events in its history a run continues as new. */
const HISTORY_EVENTS_PER_RUN = 4_000;

/** How many listeners are retired at once: a workflow has a limited number of activities. */
const RETIREMENTS_AT_ONCE = 50;

const CHANGED = 'The configuration has another listener of this name.';
const TAKEN_OUT = 'The configuration does not have it any more.';

const { nexteventCreateStatic, nexteventFindLost, nexteventRetireStatic } = proxyActivities<
  ReturnType<typeof createDeploymentActivities>
>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: 200, maximumInterval: 10_000 },
});

/** Runs for ever. */
export async function nexteventDeployment(input: DeploymentInput): Promise<void> {
  const deployment = new Deployment(input);
  setHandler(deployUpdate, (request) => deployment.deploy(request), {
    description: 'Makes the static listeners those of a configuration.',
  });
  const { historyEventsMax = HISTORY_EVENTS_PER_RUN } = input;
  await condition(() => isLong(historyEventsMax) && allHandlersFinished());
  // The SDK does not carry the memo: pass it on, or a reader of the new run finds none.
  const next = makeContinueAsNewFunc<typeof nexteventDeployment>({ memo: deployment.memo });
  await next({ ...input, ...deployment.toState() });
}

function isLong(historyEventsMax: number): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > historyEventsMax;
}

class Deployment {
  #generation: number;
  #hash: string;
  /** By name. One whose place was taken is in nobody's way: it never comes back. */
  readonly #listeners: Map<string, DeployedListener>;
  /** Whoever deletes its workflow has generations begin anew, but not listeners. */
  readonly #name = `${workflowInfo().workflowId} ${runTag(workflowInfo().firstExecutionRunId)}`;
  /** The deployments so far, one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ generation, hash, listeners }: DeploymentInput) {
    this.#generation = generation;
    this.#hash = hash;
    this.#listeners = new Map(listeners.map((listener) => [listener.name, listener]));
  }

  get memo(): DeploymentMemo {
    return { generation: this.#generation, hash: this.#hash };
  }

  toState(): DeploymentInput {
    return { ...this.memo, listeners: [...this.#listeners.values()] };
  }

  deploy(request: DeployRequest): Promise<Deployed> {
    const deployed = this.#last.then(() => this.#deploy(request));
    // A deployment that was cut short is no reason not to begin the next.
    this.#last = deployed.catch(() => {});
    return deployed;
  }

  async #deploy(request: DeployRequest): Promise<Deployed> {
    const retirements = new Retirements();
    try {
      const made = await this.#make(request, retirements);
      await retirements.all();
      this.#hash = request.hash;
      upsertMemo(this.memo);
      this.#show();
      return { generation: this.#generation, ...made };
    } finally {
      await retirements.settled();
    }
  }

  async #make(
    { hash, listeners }: DeployRequest,
    retirements: Retirements,
  ): Promise<Omit<Deployed, 'generation'>> {
    const created: string[] = [];
    const deactivated: string[] = [];
    const unchanged: string[] = [];
    if (hash !== this.#hash) this.#generation += 1;
    const ids = this.#idsOfUnchanged(listeners);
    // In the histories of older code nothing is waited for here, not for a microtask either.
    const isAsked = ids.length > 0 && patched('finds-lost');
    const lost = isAsked ? await nexteventFindLost(ids) : [];
    for (const { definition, hash: ofDefinition } of listeners) {
      const { name } = definition;
      const before = this.#listeners.get(name);
      const isLost = before !== undefined && lost.includes(before.id);
      if (before?.hash === ofDefinition && !isLost) {
        unchanged.push(before.id);
        continue;
      }
      // A deployment that failed may have made another one of this name, of the same generation.
      const by = `${this.#name} ${this.#generation} ${ofDefinition}`;
      // What is lost may have been created by the same generation.
      const createdBy = isLost ? `${by} after ${before.id}` : by;
      // The new one first: what comes in between goes to both rather than to none.
      const id = await nexteventCreateStatic(definition, createdBy);
      this.#listeners.set(name, { name, id, hash: ofDefinition });
      created.push(id);
      if (before === undefined || isLost) continue;
      await retirements.add(before.id, CHANGED);
      deactivated.push(before.id);
    }
    const names = new Set(listeners.map(({ definition }) => definition.name));
    for (const { name, id } of this.#listeners.values()) {
      if (names.has(name)) continue;
      await retirements.add(id, TAKEN_OUT);
      this.#listeners.delete(name);
      deactivated.push(id);
    }
    return { created, deactivated, unchanged };
  }

  /** Of those that are to stay as they are, if their workflows are still there. */
  #idsOfUnchanged(listeners: readonly StaticListener[]): readonly string[] {
    return listeners.flatMap(({ definition, hash }) => {
      const before = this.#listeners.get(definition.name);
      return before?.hash === hash ? [before.id] : [];
    });
  }

  #show(): void {
    const rows = [...this.#listeners.values()].map(({ name, id }) => `| ${name} | ${id} |`);
    setCurrentDetails(
      [
        `Generation **${this.#generation}**.`,
        '',
        '| listener | id |',
        '| --- | --- |',
        ...rows,
      ].join('\n'),
    );
  }
}

/** Side by side: each waits for what is in a backlog for the listener. */
class Retirements {
  readonly #begun: Array<Promise<void>> = [];

  async add(id: string, statusMessage: string): Promise<void> {
    const retired = nexteventRetireStatic(id, statusMessage);
    this.#begun.push(retired);
    // In the histories of older code they are one after the other.
    if (!patched('retires-together')) await retired;
    // Whoever asks for all of them is told.
    retired.catch(() => {});
    if (this.#begun.length % RETIREMENTS_AT_ONCE === 0) await this.settled();
  }

  async all(): Promise<void> {
    await Promise.all(this.#begun);
  }

  /** Also of a deployment that fails: the run may end with the next one. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#begun);
  }
}

// Listeners, as seen from outside: made, found and changed. What they delivered is in
// deliveries.ts.

import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';

import type { ListenerDefinition, ListenerStatus } from '../events/listener.ts';
import {
  activateListenerUpdate,
  changeListenerUpdate,
  deactivateListenerUpdate,
  LISTENER_WORKFLOW_TYPE,
  listenerQuery,
  listenerReadyUpdate,
  listenerTaskQueue,
  listenerWorkflowId,
  removeListenerUpdate,
  retireListenerUpdate,
  type Changed,
  type ListenerInput,
  type ListenerMemo,
  type ListenerView,
} from '../workflows/listener-messages.ts';
import { describeExecution, isOpenStatus } from './describe-execution.ts';
import { ListenerConflictError, ListenerSilentError, UnknownListenerError } from './errors.ts';
import {
  againIfChanged,
  decodeMemo,
  ListenerCalls,
  quoted,
  type Execution,
} from './listener-calls.ts';

/** The statuses of workflows that are over, in the language of visibility. */
const ENDED = "ExecutionStatus IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut')";

/** What a listener is created with, besides its definition. */
export interface CreateOptions {
  /** @default false */
  readonly isStatic?: boolean;
  /**
   * Its id.
   *
   * @default its name or, if that is taken, its name with `-2`, `-3` ...
   */
  readonly id?: string;
  /**
   * What it is for: again for the same, it is the same listener.
   *
   * @default every call creates one
   */
  readonly createdBy?: string;
}

/** A listener as it is without asking its worker. */
export interface ListenerSummary extends ListenerMemo {
  readonly id: string;
}

/** A listener as it is; the numbers are null if no worker answers. */
export interface ListenerDescription extends ListenerSummary {
  readonly deliveries: number | null;
  readonly pending: number | null;
  readonly failuresInRow: number | null;
}

/** Which listeners are meant. */
export interface ListenerFilter {
  readonly owner?: string | undefined;
  readonly source?: string | undefined;
  /** @default those that are not removed */
  readonly status?: ListenerStatus | undefined;
}

export interface ListenerPage {
  readonly listeners: readonly ListenerSummary[];
  /** Where the next page begins; null if there is none. */
  readonly next: Uint8Array | null;
}

export class ListenerClient {
  readonly #client: Client;
  readonly #calls: ListenerCalls;
  readonly #taskQueue: string;

  /** `taskQueue` is that of the project's workflows. */
  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#calls = new ListenerCalls(client);
    this.#taskQueue = listenerTaskQueue(taskQueue);
  }

  /**
   * Creates a listener. Once it returns, the listener has subscribed: every event that is posted
   * afterwards and matches is delivered. An id is never used again.
   *
   * @throws ListenerConflictError if the id is taken, or it can not subscribe
   * @throws ListenerSilentError if nobody runs it yet; it is there, and subscribes once somebody does
   */
  async create(definition: ListenerDefinition, options: CreateOptions = {}): Promise<ListenerView> {
    const id = await this.#start(definition, options);
    try {
      return await this.#calls.update(id, listenerReadyUpdate, []);
    } catch (error) {
      if (!(error instanceof ListenerSilentError)) throw error;
      throw new ListenerSilentError(
        `listener "${id}" is created, and subscribes once a worker with \`outbound\` runs`,
        { cause: error },
      );
    }
  }

  /**
   * What its memo says, and what it answers. The numbers need its worker.
   *
   * @throws UnknownListenerError
   */
  async show(id: string): Promise<ListenerDescription> {
    const summary = await this.find(id);
    // Without its worker it is shown without numbers.
    const view = await this.#calls.query(id, listenerQuery, []).catch(() => undefined);
    const { deliveries = null, pending = null, failuresInRow = null } = view ?? {};
    return { ...summary, deliveries, pending, failuresInRow };
  }

  /**
   * Needs no worker, and is never late.
   *
   * @throws UnknownListenerError
   */
  async find(id: string): Promise<ListenerSummary> {
    const summary = await this.#describe(id);
    if (summary === undefined) throw new UnknownListenerError(`there is no listener "${id}"`);
    return summary;
  }

  /**
   * Whether somebody has ended its workflow, and has not removed it. Needs no worker, and is never late.
   * One that is not on record any more may have been removed.
   */
  async isLost(id: string): Promise<boolean> {
    const described = await describeExecution(this.#client, listenerWorkflowId(id));
    const info = described?.workflowExecutionInfo;
    if (!info || isOpenStatus(info.status)) return false;
    return (await decodeMemo<ListenerMemo>(this.#client, info))?.status !== 'removed';
  }

  /** Listeners of the project, newest first. What has just changed may be listed as it was. */
  async list(
    filter: ListenerFilter,
    { limit, next }: { readonly limit: number; readonly next: Uint8Array | null },
  ): Promise<ListenerPage> {
    const found: ListenerSummary[] = [];
    const state = filter.status === 'removed' ? ENDED : "ExecutionStatus = 'Running'";
    const query = `WorkflowType = '${LISTENER_WORKFLOW_TYPE}' AND TaskQueue = ${quoted(this.#taskQueue)} AND ${state}`;
    let token = next;
    do {
      // Never more than there is room for: a page of the server has to be taken as a whole.
      const page = await this.#calls.list(query, { limit: limit - found.length, token });
      for (const execution of page.executions) {
        const summary = await this.#toSummary(execution);
        if (summary !== undefined && isMeant(summary, filter)) found.push(summary);
      }
      token = page.next;
    } while (token !== null && found.length < limit);
    return { listeners: found, next: token };
  }

  /**
   * What is made of the definition takes its place, from the next attempt on. If another has changed it
   * meanwhile, it is made anew, of what that has made of it.
   *
   * @throws UnknownListenerError
   * @throws ListenerConflictError if it is removed, or the configuration has it
   */
  async change(
    id: string,
    toChanged: (definition: ListenerDefinition) => ListenerDefinition,
  ): Promise<Changed> {
    return againIfChanged(async () => {
      const { isStatic, definition } = await this.find(id);
      if (isStatic) {
        throw new ListenerConflictError(
          `listener "${id}" is one of the configuration: change it there, and deploy that`,
        );
      }
      return this.#change(id, changeListenerUpdate, [toChanged(definition), definition]);
    });
  }

  /** Pending deliveries go on. Failures are counted from none again. */
  async activate(id: string): Promise<Changed> {
    return this.#change(id, activateListenerUpdate, []);
  }

  /** Pending deliveries stay, and what comes from now on is skipped. */
  async deactivate(id: string, statusMessage: string): Promise<Changed> {
    return this.#change(id, deactivateListenerUpdate, [statusMessage]);
  }

  /** Deactivates it, too, but pending deliveries go on, and nothing more comes. */
  async retire(id: string, statusMessage: string): Promise<Changed> {
    return this.#change(id, retireListenerUpdate, [statusMessage]);
  }

  /**
   * Its pending deliveries fail, and it ends.
   *
   * @throws UnknownListenerError
   * @throws ListenerConflictError if the configuration has it, and it is active
   */
  async remove(id: string): Promise<Changed> {
    const { status, isStatic } = await this.find(id);
    if (status === 'removed') return { changed: false, listener: toView(await this.show(id)) };
    if (isStatic && status === 'active') {
      throw new ListenerConflictError(
        `listener "${id}" is one of the configuration: take it out there and deploy that, or deactivate it first`,
      );
    }
    return this.#change(id, removeListenerUpdate, []);
  }

  async #change<Args extends unknown[]>(
    id: string,
    update: UpdateDefinition<Changed, Args>,
    args: Args,
  ): Promise<Changed> {
    try {
      return await this.#calls.update(id, update, args);
    } catch (error) {
      if (!(error instanceof UnknownListenerError)) throw error;
      await this.find(id);
      throw new ListenerConflictError(`listener "${id}" is removed`, { cause: error });
    }
  }

  /** Gives the id under which it is there. */
  async #start(definition: ListenerDefinition, options: CreateOptions): Promise<string> {
    const { id, createdBy } = options;
    if (id !== undefined) {
      if (await this.#startAs(id, definition, options)) return id;
      throw new ListenerConflictError(`there is, or was, another listener "${id}"`);
    }
    // What was created for the same before may be at any place.
    let place = createdBy === undefined ? await this.#placeFor(definition.name) : 1;
    while (!(await this.#startAs(toId(definition.name, place), definition, options))) place += 1;
    return toId(definition.name, place);
  }

  /** Whether the listener of this id is the one that is wanted. */
  async #startAs(
    id: string,
    definition: ListenerDefinition,
    { isStatic = false, createdBy }: CreateOptions,
  ): Promise<boolean> {
    const memo: ListenerMemo = {
      definition,
      status: 'active',
      statusMessage: 'Active',
      createdAt: new Date().toISOString(),
      isStatic,
      ...(createdBy !== undefined && { createdBy }),
    };
    const input: ListenerInput = { id, memo };
    try {
      await this.#client.workflow.start(LISTENER_WORKFLOW_TYPE, {
        workflowId: listenerWorkflowId(id),
        taskQueue: this.#taskQueue,
        args: [input],
        memo,
        staticSummary: `delivers events to ${definition.name}`,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
      return true;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      if (createdBy === undefined) return false;
      return (await this.#describe(id))?.createdBy === createdBy;
    }
  }

  /** A place that is free, in a few steps: those before it are mostly taken. */
  async #placeFor(name: string): Promise<number> {
    let taken = 0;
    let free = 1;
    while (await this.#describe(toId(name, free))) {
      taken = free;
      free *= 2;
    }
    while (free - taken > 1) {
      const middle = Math.floor((taken + free) / 2);
      if (await this.#describe(toId(name, middle))) taken = middle;
      else free = middle;
    }
    return free;
  }

  async #describe(id: string): Promise<ListenerSummary | undefined> {
    const described = await describeExecution(this.#client, listenerWorkflowId(id));
    const info = described?.workflowExecutionInfo;
    return info ? this.#toSummary(info) : undefined;
  }

  /** `undefined` for what has no memo: nobody has made it by this. */
  async #toSummary(info: Execution): Promise<ListenerSummary | undefined> {
    const memo = await decodeMemo<ListenerMemo>(this.#client, info);
    if (memo?.definition === undefined) return undefined;
    const id = (info.execution?.workflowId ?? '').slice(listenerWorkflowId('').length);
    if (isOpenStatus(info.status) || memo.status === 'removed') return { ...memo, id };
    return { ...memo, id, status: 'removed', statusMessage: 'Its workflow was ended.' };
  }
}

function toId(name: string, place: number): string {
  return place === 1 ? name : `${name}-${place}`;
}

function isMeant(
  { definition, status: is }: ListenerSummary,
  { owner, source, status }: ListenerFilter,
): boolean {
  return (
    (owner === undefined || definition.owner === owner) &&
    (source === undefined || definition.sources.includes(source)) &&
    (status === undefined || is === status)
  );
}

function toView({
  deliveries,
  pending,
  failuresInRow,
  ...rest
}: ListenerDescription): ListenerView {
  return {
    ...rest,
    deliveries: deliveries ?? 0,
    pending: pending ?? 0,
    failuresInRow: failuresInRow ?? 0,
  };
}

/** Dead letters and redrives in a store, in few words. A dlq role's part is played by `propose` and `commit`. */

import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { DeadCursor, DeadLetter, DeadSelection } from "../../src/store/ports/dead-letters.ts";
import type {
  Redrive,
  RedriveCommand,
  RedriveOrder,
  RedriveOutcome,
  RedriveStep,
} from "../../src/store/ports/redrives.ts";
import type { DueTask } from "../../src/store/ports/sends.ts";
import type { Store } from "../../src/store/ports/store.ts";
import type { Carrier } from "../../src/telemetry/context/propagation.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { actorAt, t0 } from "./stored-tasks.ts";

/** Every dead letter. */
export const all: DeadSelection = { kind: "filter" };

/** The sweeper sends what was not sent within this time of its redrive. */
export const sendWithinMs = 30_000;

/** An order of everything, as fast as it goes. */
function orderOf(changes: Partial<RedriveOrder> = {}): RedriveOrder {
  return {
    id: newTaskId(),
    selection: all,
    ratePerSecond: null,
    isForced: false,
    reason: "",
    payload: null,
    ...changes,
  };
}

/** The trace that begins for tasks which are brought back at that time. */
export function originAt(atMs: number): Carrier {
  return { traceparent: `00-5b8efff798038103d269b633813fc60c-${(atMs - t0).toString(16).padStart(16, "0")}-01` };
}

export interface Redrives {
  list(selection?: DeadSelection, options?: { limit?: number; after?: DeadCursor }): Promise<DeadLetter[]>;
  count(changes?: Partial<RedriveOrder>): Promise<{ matched: number; refused: number }>;
  start(nowMs: number, changes?: Partial<RedriveOrder>): Promise<Redrive>;
  get(id: string): Promise<Redrive | undefined>;
  outcome(id: string): Promise<RedriveOutcome>;
  /** How far it is. */
  progress(id: string): Promise<Pick<Redrive, "status" | "matched" | "moved" | "failed" | "endedAtMs"> | undefined>;
  control(
    id: string,
    command: RedriveCommand,
    nowMs: number,
  ): Promise<{ redrive: Redrive; isTaken: boolean } | undefined>;
  tryPropose(nowMs: number, limit?: number): Promise<RedriveStep | { waitMs: number | null }>;
  /** Throws unless a step is due. */
  propose(nowMs: number, limit?: number): Promise<RedriveStep>;
  tryCommit(step: RedriveStep, nowMs: number): Promise<DueTask[] | undefined>;
  /** Throws when the step is nobody's to commit any more. */
  commit(step: RedriveStep, nowMs: number): Promise<DueTask[]>;
  /** Takes every step that is due at that time; ids of what came back, in that order. */
  run(nowMs: number, limit?: number): Promise<string[]>;
}

export function redrivesIn(store: Store): Redrives {
  const redrives: Redrives = {
    list: (selection = all, { limit = 1000, after } = {}) =>
      store.listDead(selection, limit, after ?? null, ROOT_CONTEXT),
    count: (changes) => store.countRedrive(orderOf(changes), ROOT_CONTEXT),
    start: (nowMs, changes) => store.startRedrive(orderOf(changes), nowMs, ROOT_CONTEXT),
    get: (id) => store.getRedrive(id, ROOT_CONTEXT),
    outcome: (id) => store.redriveOutcome(id, ROOT_CONTEXT),
    progress: async (id) => {
      const redrive = await redrives.get(id);
      if (!redrive) return undefined;
      const { status, matched, moved, failed, endedAtMs } = redrive;
      return { status, matched, moved, failed, endedAtMs };
    },
    control: (id, command, nowMs) => store.controlRedrive(id, command, nowMs, ROOT_CONTEXT),
    tryPropose: (nowMs, limit = 100) => store.proposeRedrive(limit, nowMs),
    propose: async (nowMs, limit) => {
      const step = await redrives.tryPropose(nowMs, limit);
      if ("waitMs" in step) throw new Error(`no step is due: ${JSON.stringify(step)}`);
      return step;
    },
    commit: async (step, nowMs) => {
      const sent = await redrives.tryCommit(step, nowMs);
      if (!sent) throw new Error(`the step ${step.number} was not committed`);
      return sent;
    },
    tryCommit: ({ redrive, candidates, ...step }, nowMs) => {
      const moves = candidates.map(({ id }) => ({ id, origin: originAt(nowMs), actor: actorAt(nowMs) }));
      return store.commitRedrive({ redriveId: redrive.id, step, moves, nowMs, sendWithinMs }, ROOT_CONTEXT);
    },
    run: async (nowMs, limit) => {
      const moved: string[] = [];
      for (;;) {
        const step = await redrives.tryPropose(nowMs, limit);
        if ("waitMs" in step) return moved;
        moved.push(...(await redrives.commit(step, nowMs)).map(({ id }) => id));
      }
    },
  };
  return redrives;
}

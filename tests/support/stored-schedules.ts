/** Schedules in a store, in few words: what a test says nothing about is the same for all of them. */

import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { Schedule } from "../../src/store/ports/schedules.ts";
import type { Store } from "../../src/store/ports/store.ts";
import type { NewTask } from "../../src/store/ports/tasks.ts";
import { actorAt, newTask, t0 } from "./stored-tasks.ts";

/** Each minute from `t0` on, which is looked at then. */
export function newSchedule(changes: Partial<Schedule> = {}): Schedule {
  return {
    id: "nightly",
    version: 1,
    timing: { rule: { kind: "every", everyMs: 60_000, anchorMs: t0 }, startAtMs: null, endAtMs: null },
    task: { type: "echo", payload: '{"n":1}', metadata: { tenant: "blue" }, maxAttempts: null, timeoutMs: null },
    overlap: "skip",
    catchUp: 1,
    isPaused: false,
    createdAtMs: t0,
    updatedAtMs: t0,
    origin: { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
    nextTickMs: t0 + 60_000,
    heldTickMs: null,
    lookAtMs: t0 + 60_000,
    lastRun: null,
    fired: 0,
    skipped: 0,
    missed: 0,
    ...changes,
  };
}

/** The same schedule after one more change. */
export function changed(schedule: Schedule, changes: Partial<Schedule> = {}): Schedule {
  return { ...schedule, ...changes, version: schedule.version + 1 };
}

export interface StoredSchedules {
  /** Creates, and gives what was asked for; throws when it was refused. */
  create(changes?: Partial<Schedule>): Promise<Schedule>;
  tryCreate(schedule: Schedule, limit?: number): ReturnType<Store["createSchedule"]>;
  get(id: string): Promise<Schedule | undefined>;
  /** Their ids. */
  list(after?: string, limit?: number): Promise<string[]>;
  /** Ids of what is due, and when the next one is. */
  due(nowMs: number, limit?: number): Promise<{ ids: string[]; nextMs: number | null }>;
  change(now: Schedule): ReturnType<Store["changeSchedule"]>;
  /** Changes it, and makes the task. */
  fire(now: Schedule, task?: NewTask): ReturnType<Store["changeSchedule"]>;
  delete(id: string): Promise<boolean>;
}

export function schedulesIn(store: Store): StoredSchedules {
  const schedules: StoredSchedules = {
    create: async (changes) => {
      const schedule = newSchedule(changes);
      const made = await schedules.tryCreate(schedule);
      if (made !== "created") throw new Error(`the schedule "${schedule.id}" was not created: ${made}`);
      return schedule;
    },
    tryCreate: (schedule, limit = 100) => store.createSchedule(schedule, limit, ROOT_CONTEXT),
    get: (id) => store.getSchedule(id, ROOT_CONTEXT),
    list: async (after = "", limit = 100) =>
      (await store.listSchedules(after, limit, ROOT_CONTEXT)).map(({ id }) => id),
    due: async (nowMs, limit = 100) => {
      const { due, nextMs } = await store.dueSchedules(limit, nowMs);
      return { ids: due.map(({ id }) => id), nextMs };
    },
    change: (now) => store.changeSchedule(now, null, ROOT_CONTEXT),
    fire: (now, task = newTask()) => store.changeSchedule(now, { task, actor: actorAt(t0) }, ROOT_CONTEXT),
    delete: (id) => store.deleteSchedule(id, ROOT_CONTEXT),
  };
  return schedules;
}

/**
 * The port of schedules. What a schedule makes of its ticks is decided outside; the store commits each change of a schedule
 * together with the task that belongs to it, or neither. A change names the version that it follows, so that one of any
 * number of task services commits a tick.
 */

import type { Context } from "@opentelemetry/api";
import type { Carrier } from "../../telemetry/context/propagation.ts";
import type { Timing } from "../../words/ticks.ts";
import type { Actor, NewTask } from "./tasks.ts";

/**
 * What becomes of a tick that comes while the run before it goes on: it is left out; it waits for that run's end, as
 * long as no other one waits; it makes a run all the same.
 */
export const overlapPolicies = ["skip", "buffer_one", "allow"] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

/** Keys of the metadata of each run: the schedule's id, and the tick in RFC 3339. */
export const runMetadata = { scheduleId: "schedule_id", scheduledFor: "scheduled_for" } as const;

/** What each run is. */
export interface ScheduledTask {
  type: string;
  /** JSON text. */
  payload: string;
  metadata: Record<string, string>;
  /** null: the task type's, or the default. */
  maxAttempts: number | null;
  timeoutMs: number | null;
}

/** The task that a tick has made. */
export interface ScheduledRun {
  taskId: string;
  /** The tick. */
  scheduledForMs: number;
}

/** Times are milliseconds since the epoch. */
export interface Schedule {
  id: string;
  /** Counts changes: one holds only if it follows the newest. */
  version: number;
  timing: Timing;
  task: ScheduledTask;
  overlap: OverlapPolicy;
  /** After an outage so many of the ticks that were missed are made up for, the newest. */
  catchUp: number;
  isPaused: boolean;
  createdAtMs: number;
  /** When a person changed it last, and in which trace. */
  updatedAtMs: number;
  origin: Carrier;
  /** null: it is paused, or no tick follows. */
  nextTickMs: number | null;
  /** The tick that waits for the end of the run before it. */
  heldTickMs: number | null;
  /** When something is to be done about it; null: never. */
  lookAtMs: number | null;
  lastRun: ScheduledRun | null;
  fired: number;
  /** Ticks without a run, because the run before them went on. */
  skipped: number;
  /** Ticks without a run, because no task service ran or the store had no room. */
  missed: number;
}

/** A task that is made with a change of its schedule. */
export interface NewRun {
  task: NewTask;
  actor: Actor;
}

export interface DueSchedules {
  /** Those to be looked at by now, the longest due first. */
  due: Schedule[];
  /** When the next one is; null: none is. */
  nextMs: number | null;
}

export interface ScheduleStore {
  /** `full`: there are `limit` schedules already. */
  createSchedule(schedule: Schedule, limit: number, context: Context): Promise<"created" | "exists" | "full">;
  getSchedule(id: string, context: Context): Promise<Schedule | undefined>;
  /** Up to `limit` whose id comes after `after`, in the order of their ids. */
  listSchedules(after: string, limit: number, context: Context): Promise<Schedule[]>;
  /** Has no span. */
  dueSchedules(limit: number, nowMs: number): Promise<DueSchedules>;
  /**
   * Writes the schedule as it is now, and makes its run's task, in one commit. `moved_on`: another change has come before
   * this one, or it was deleted; `no_room`: the store takes no task. Then nothing was written.
   */
  changeSchedule(now: Schedule, run: NewRun | null, context: Context): Promise<"changed" | "moved_on" | "no_room">;
  /** False when there is none of that id. */
  deleteSchedule(id: string, context: Context): Promise<boolean>;
}

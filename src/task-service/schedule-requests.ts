/** What callers of the RPC may ask of schedules, in protobuf's JSON form. */

import { z } from "zod";
import type { ScheduleSpecJson } from "../gen/tasks_pb.ts";
import { parseMessage } from "../rpc/call.ts";
import { overlapPolicies } from "../store/ports/schedules.ts";
import { TaskError } from "../words/errors.ts";
import { taskTypePattern } from "../words/task.ts";
import { duration, pageLimit, timestamp } from "./requests.ts";

const maxCatchUp = 100;
const defaultCatchUp = 1;

const scheduledTask = z.strictObject({
  type: z.string().regex(taskTypePattern),
  payload: z.unknown().default(null),
  metadata: z.record(z.string(), z.string()).default({}),
  timeout: duration.optional(),
  maxAttempts: z.int().min(0).max(100).default(0),
});

const scheduleSpec = z.strictObject({
  cron: z.string().default(""),
  timeZone: z.string().default(""),
  every: duration.optional(),
  task: scheduledTask,
  overlap: z
    .union([z.literal(""), z.enum(overlapPolicies)])
    .default("")
    .transform((policy) => policy || "skip"),
  catchUp: z.int().min(0).max(maxCatchUp).default(defaultCatchUp),
  startAt: timestamp.optional(),
  endAt: timestamp.optional(),
  paused: z.boolean().default(false),
});

/** Durations and times in milliseconds; empty: not given. */
export type ScheduleSpec = z.infer<typeof scheduleSpec>;

const specFields = ["cron", "timeZone", "every", "task", "overlap", "catchUp", "startAt", "endAt", "paused"] as const;
type SpecField = (typeof specFields)[number];

const someOfSpec = scheduleSpec.partial();

/** What stands in a URL as it is, and sorts alike in every store. */
const scheduleId = z.string().regex(/^[A-Za-z0-9._-]{0,64}$/);

const createSchedule = z.strictObject({ id: scheduleId.default(""), spec: scheduleSpec });

const updateSchedule = z.strictObject({
  id: z.string(),
  // As it was said: it goes into what was said before.
  spec: z.custom<ScheduleSpecJson>((spec) => someOfSpec.safeParse(spec).success).default({}),
  updateMask: z
    .string()
    .transform((paths) => paths.split(","))
    .pipe(z.array(z.enum(specFields))),
});

const listSchedules = z.strictObject({
  limit: pageLimit,
  cursor: z.string().max(200).default(""),
});

const namedSchedule = z.strictObject({ id: z.string() });

export function parseCreateSchedule(message: unknown): z.infer<typeof createSchedule> {
  return parseMessage("CreateSchedule", message, (it) => createSchedule.safeParse(it));
}

export function parseUpdateSchedule(message: unknown): z.infer<typeof updateSchedule> {
  return parseMessage("UpdateSchedule", message, (it) => updateSchedule.safeParse(it));
}

export function parseListSchedules(message: unknown): { limit: number; after: string } {
  const { limit, cursor } = parseMessage("ListSchedules", message, (it) => listSchedules.safeParse(it));
  return { limit, after: Buffer.from(cursor, "base64url").toString() };
}

export function parseNamed(method: "GetSchedule" | "TriggerSchedule" | "DeleteSchedule", message: unknown): string {
  return parseMessage(method, message, (it) => namedSchedule.safeParse(it)).id;
}

/** Where a list goes on after this id, as a word that callers give back as it is. */
export function toScheduleCursor(id: string): string {
  return Buffer.from(id).toString("base64url");
}

/**
 * What was said before with the fields of `mask` as they are said now; one that is not said is taken away. A schedule has
 * one rule: a cron that is said takes the place of an interval, and the other way round.
 */
export function overlay(before: ScheduleSpecJson, now: ScheduleSpecJson, mask: readonly SpecField[]): ScheduleSpec {
  const said: ScheduleSpecJson = { ...before };
  const isSaid = (field: SpecField): boolean => mask.includes(field) && now[field] !== undefined;
  if (isSaid("cron")) delete said.every;
  if (isSaid("every")) {
    delete said.cron;
    delete said.timeZone;
  }
  for (const field of mask) delete said[field];
  Object.assign(said, Object.fromEntries(mask.flatMap((field) => (isSaid(field) ? [[field, now[field]]] : []))));
  const parsed = scheduleSpec.safeParse(said);
  if (parsed.success) return parsed.data;
  throw new TaskError("invalid_argument", "a schedule needs its task");
}

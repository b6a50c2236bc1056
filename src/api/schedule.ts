/** Schedules as the API takes and shows them: what is checked, what OpenAPI describes, and the record that answers. */

import { z } from "zod";
import { parseDuration, showDuration } from "../settings/parsers.ts";
import { overlapPolicies, runMetadata, type Schedule } from "../store/ports/schedules.ts";
import { JsonText } from "../words/json-text.ts";
import { type TaskStatus, taskStatuses } from "../words/task.ts";
import {
  defaultTimeZone,
  longestEveryMs,
  nextTick,
  nextTicks,
  parseCron,
  parseTimeZone,
  type Rule,
  shortestEveryMs,
} from "../words/ticks.ts";
import { duration, pageLimit, textThat, time, timeOrNull, timeText, toTime } from "./fields.ts";
import { newTask, taskId, taskType, traceId } from "./task.ts";

const everyWords = `expected ${showDuration(shortestEveryMs)} to ${showDuration(longestEveryMs)}`;

export const scheduleId = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, "expected 1 to 64 letters, digits or . _ -")
  .meta({ description: "Its name; one is made when none is given.", examples: ["nightly-report"] });

const { payload, timeout, max_attempts, metadata } = newTask.shape;

const scheduledTask = z
  .strictObject({
    type: taskType,
    payload,
    timeout,
    max_attempts,
    metadata: metadata.refine(
      (own) => !Object.values(runMetadata).some((name) => own && Object.hasOwn(own, name)),
      `each run gets ${Object.values(runMetadata).join(" and ")} by itself`,
    ),
  })
  .meta({ id: "NewScheduledTask", description: "What each run is, as in `POST /v1/tasks`." });

const given = {
  cron: textThat(parseCron)
    .max(256)
    .meta({
      description:
        "Minute, hour, day of the month, month, weekday; seconds may come first; or @hourly, @daily, @weekly, @monthly, @yearly.",
      examples: ["0 3 * * MON-FRI"],
    }),
  time_zone: textThat(parseTimeZone)
    .max(256)
    .meta({
      description: "Of IANA; the clock that `cron` is about. UTC when none is given.",
      examples: ["Europe/Berlin"],
    }),
  every: duration
    .refine((text) => isEvery(parseDuration(text)), everyWords)
    .meta({ description: "In place of `cron`: the time from one run to the next.", examples: ["15m"] }),
  task: scheduledTask,
  overlap: z.enum(overlapPolicies).meta({
    description:
      "When the run before goes on: `skip` the tick (usual), let one tick wait for its end (`buffer_one`), or `allow` both.",
  }),
  catch_up: z
    .int()
    .min(0)
    .max(100)
    .meta({ description: "Of the ticks that an outage cost, the newest so many are made up for. Usually 1." }),
  start_at: timeText.meta({ description: "No run before it. An `every` is counted from it." }),
  end_at: timeText.meta({ description: "No run at it or after it." }),
  paused: z.boolean().meta({ description: "Its ticks pass without a run." }),
};

function isEvery(ms: number): boolean {
  return ms >= shortestEveryMs && ms <= longestEveryMs;
}

/** What `POST /v1/schedules` takes, and `CreateSchedule`. */
export const newSchedule = z
  .strictObject({
    id: scheduleId.optional(),
    cron: given.cron.optional(),
    time_zone: given.time_zone.optional(),
    every: given.every.optional(),
    task: given.task,
    overlap: given.overlap.optional(),
    catch_up: given.catch_up.optional(),
    start_at: given.start_at.optional(),
    end_at: given.end_at.optional(),
    paused: given.paused.optional(),
  })
  .refine(({ cron, every }) => (cron === undefined) !== (every === undefined), "expected either cron or every")
  .refine(({ every, time_zone }) => every === undefined || time_zone === undefined, {
    path: ["time_zone"],
    message: "it goes with cron only",
  })
  .refine((body) => isEverDue(body), { path: ["cron"], message: "it fits no time to come" })
  .meta({
    id: "NewSchedule",
    oneOf: [{ required: ["cron"] }, { required: ["every"] }],
    examples: [
      { id: "nightly", cron: "0 3 * * *", time_zone: "Europe/Berlin", task: { type: "echo", payload: { report: 1 } } },
      { every: "15m", task: { type: "echo" }, overlap: "buffer_one" },
    ],
  });

export type NewSchedule = z.output<typeof newSchedule>;

/** A cron that no date fits, now or ever. */
function isEverDue({
  cron,
  time_zone = defaultTimeZone,
}: {
  cron?: string | undefined;
  time_zone?: string | undefined;
}) {
  if (cron === undefined) return true;
  const rule: Rule = { kind: "cron", cron: parseCron(cron), timeZone: time_zone };
  return nextTick({ rule, startAtMs: null, endAtMs: null }, Date.now()) !== null;
}

const changes = z.strictObject({
  cron: given.cron.optional(),
  time_zone: given.time_zone.nullable().optional(),
  every: given.every.optional(),
  task: given.task.optional(),
  overlap: given.overlap.nullable().optional(),
  catch_up: given.catch_up.nullable().optional(),
  start_at: given.start_at.nullable().optional(),
  end_at: given.end_at.nullable().optional(),
  paused: given.paused.optional(),
});

/** What `PATCH /v1/schedules/{id}` takes. */
export const scheduleChange = changes
  .refine((change) => Object.keys(change).length > 0, "expected at least one field")
  .refine(({ cron, every }) => cron === undefined || every === undefined, "expected either cron or every")
  .meta({
    id: "ScheduleChange",
    description: "Each field takes the place of the one before as a whole; null takes one away.",
    minProperties: 1,
    not: { required: ["cron", "every"], properties: { cron: true, every: true } },
    examples: [{ cron: "30 3 * * *" }, { paused: true }],
  });

/** Fields of a schedule that can be changed. */
const changeable = Object.keys(given) as (keyof typeof given)[];

/** The request of `UpdateSchedule`: each of `fields` takes its value in `change`; without one it is taken away. */
export const updateSchedule = z.strictObject({
  id: z.string(),
  change: changes.default({}),
  fields: z.array(z.enum(changeable)).min(1),
});

export const listSchedules = z.strictObject({ limit: pageLimit, cursor: z.string().max(200).default("") });
export const namedSchedule = z.strictObject({ id: z.string() });

const shownDuration = z.string().meta({ description: "A number and a unit.", examples: ["15m"] });

export const schedule = z
  .object({
    id: z.string(),
    cron: z.string().nullable(),
    time_zone: z.string().nullable(),
    every: shownDuration.nullable(),
    task: z
      .object({
        type: taskType,
        payload: z.unknown(),
        timeout: shownDuration.nullable(),
        max_attempts: z.int().nullable(),
        metadata: z.record(z.string(), z.string()),
      })
      .meta({ id: "ScheduledTask" }),
    overlap: z.enum(overlapPolicies),
    catch_up: z.int(),
    start_at: timeOrNull,
    end_at: timeOrNull,
    paused: z.boolean(),
    created_at: time,
    updated_at: time.meta({ description: "When a person changed it last." }),
    trace_id: traceId.meta({ description: "Of the request that changed it last: each run's trace is linked to it." }),
    next_runs: z.array(time).meta({ description: "The next ticks, up to five; none while it is paused." }),
    last_run: z
      .object({ task_id: taskId, scheduled_for: time, status: z.enum(taskStatuses).nullable() })
      .nullable()
      .meta({ description: "null before the first one. Its `status` is null when its task was removed." }),
    fired: z.int().meta({ description: "Runs that it has made." }),
    skipped: z.int().meta({ description: "Ticks without a run, because the run before went on." }),
    missed: z.int().meta({ description: "Ticks without a run, because of an outage." }),
  })
  .meta({ id: "Schedule", description: "A task that is made again and again." });

/** Runs to come that a record shows. */
const shownRuns = 5;

/** The record of a schedule; `lastStatus`: of the last run's task, undefined when it was removed. */
export function toSchedule(of: Schedule, lastStatus: TaskStatus | undefined): z.input<typeof schedule> {
  const { nextTickMs, timing, lastRun } = of;
  const next = nextTickMs === null ? [] : nextTicks(timing, nextTickMs - 1, shownRuns);
  return {
    id: of.id,
    ...toGiven(of),
    created_at: toTime(of.createdAtMs),
    updated_at: toTime(of.updatedAtMs),
    // version-traceid-spanid-flags
    trace_id: of.origin.traceparent?.split("-")[1] ?? "",
    next_runs: next.map((ms) => toTime(ms)),
    last_run: lastRun && {
      task_id: lastRun.taskId,
      scheduled_for: toTime(lastRun.scheduledForMs),
      status: lastStatus ?? null,
    },
    fired: of.fired,
    skipped: of.skipped,
    missed: of.missed,
  };
}

/** The fields that a person gives, with what holds where none was given. */
export function toGiven({ timing, task, overlap, catchUp, isPaused }: Schedule) {
  const { rule, startAtMs, endAtMs } = timing;
  return {
    cron: rule.kind === "cron" ? rule.cron : null,
    time_zone: rule.kind === "cron" ? rule.timeZone : null,
    every: rule.kind === "every" ? showDuration(rule.everyMs) : null,
    task: {
      type: task.type,
      payload: new JsonText(task.payload),
      timeout: task.timeoutMs === null ? null : showDuration(task.timeoutMs),
      max_attempts: task.maxAttempts,
      metadata: task.metadata,
    },
    overlap,
    catch_up: catchUp,
    start_at: toTime(startAtMs),
    end_at: toTime(endAtMs),
    paused: isPaused,
  };
}

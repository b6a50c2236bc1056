/** What the task service answers about schedules. The ticker makes their runs. */

import type { Context } from "@opentelemetry/api";
import {
  listSchedules as listSchedulesForm,
  type NewSchedule,
  namedSchedule,
  newSchedule,
  toSchedule,
  updateSchedule as updateScheduleForm,
} from "../api/schedule.ts";
import type { Clock } from "../limits/clock.ts";
import type { Answer, RpcHandler, RpcHandlers } from "../rpc/call.ts";
import { idHeader } from "../rpc/wire.ts";
import { bytesInJson, fitting } from "../store/ports/pages.ts";
import type { Schedule, ScheduleStore } from "../store/ports/schedules.ts";
import type { TaskStore } from "../store/ports/tasks.ts";
import type { TaskTypes } from "../store/ports/types.ts";
import { toCarrier } from "../telemetry/context/propagation.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { ownKey } from "../telemetry/names.ts";
import { TaskError } from "../words/errors.ts";
import { textOf, writeJson } from "../words/json-text.ts";
import { isEnded, type TaskStatus } from "../words/task.ts";
import { newTaskId } from "../words/task-id.ts";
import type { PayloadChecks } from "./payload-checks.ts";
import { answerTask, parseRequest } from "./requests.ts";
import { overlay, toSaid } from "./schedule-change.ts";
import { moved } from "./tick-step.ts";
import type { Ticker } from "./ticker.ts";

export interface ScheduleDeps {
  store: ScheduleStore & Pick<TaskStore, "get">;
  types: TaskTypes;
  payloads: PayloadChecks;
  ticker: Ticker;
  clock: Clock;
  log: Logger;
}

/** Schedules that there may be. */
const maxSchedules = 1000;

/** Ticks change a schedule, too: what a person wants is tried again on what has become of it. */
const maxTries = 20;

type ScheduleMethod =
  | "CreateSchedule"
  | "GetSchedule"
  | "ListSchedules"
  | "UpdateSchedule"
  | "TriggerSchedule"
  | "DeleteSchedule";

type Handler = (deps: ScheduleDeps) => RpcHandler;

export function createScheduleHandlers(deps: ScheduleDeps): Pick<RpcHandlers, ScheduleMethod> {
  return {
    CreateSchedule: createSchedule(deps),
    GetSchedule: getSchedule(deps),
    ListSchedules: listSchedules(deps),
    UpdateSchedule: updateSchedule(deps),
    TriggerSchedule: triggerSchedule(deps),
    DeleteSchedule: deleteSchedule(deps),
  };
}

/** As a task of its type is checked when it is handed in. */
async function checkTask({ type, payload }: NewSchedule["task"], { types, payloads }: ScheduleDeps): Promise<void> {
  const known = await types.find(type);
  if (!known || known.payloadSchema === null) return;
  await payloads.check(known, JSON.parse(textOf(payload))).catch((error: unknown) => {
    throw below("/task", error);
  });
}

const createSchedule: Handler =
  (deps) =>
  async (message, { context, span }) => {
    const { store, ticker, clock } = deps;
    const given = parseRequest("CreateSchedule", newSchedule, message);
    await checkTask(given.task, deps);
    const nowMs = clock.nowMs();
    const said = toSaid(given, nowMs);
    const id = given.id ?? newTaskId();
    const schedule: Schedule = {
      id,
      version: 1,
      ...said,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      origin: toCarrier(context),
      lookAtMs: said.nextTickMs,
      lastRun: null,
      fired: 0,
      skipped: 0,
      missed: 0,
    };
    span.setAttribute(ownKey.scheduleId, id);
    const created = await store.createSchedule(schedule, maxSchedules, context);
    if (created === "exists") throw new TaskError("conflict", `there is a schedule "${id}" already`);
    if (created === "full") {
      throw new TaskError("resource_exhausted", `there are ${maxSchedules} schedules, which is all there may be`);
    }
    logOf(id, deps, context).info("schedule created", { task_type: given.task.type });
    ticker.wake();
    return answer(schedule, undefined);
  };

const getSchedule: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const schedule = await find(parseRequest("GetSchedule", namedSchedule, message).id, store, context);
    return answer(schedule, await statusOf(schedule, store, context));
  };

const listSchedules: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const { limit, cursor } = parseRequest("ListSchedules", listSchedulesForm, message);
    const after = Buffer.from(cursor, "base64url").toString();
    // One more than is shown tells whether a page follows.
    const found = await store.listSchedules(after, limit + 1, context);
    const schedules = fitting(found.slice(0, limit), (schedule) => bytesInJson(schedule));
    const statuses = await Promise.all(schedules.map((schedule) => statusOf(schedule, store, context)));
    const last = schedules.at(-1);
    const isLastPage = found.length === schedules.length || !last;
    return {
      json: writeJson({
        items: schedules.map((schedule, n) => toSchedule(schedule, statuses[n])),
        next_cursor: isLastPage ? null : Buffer.from(last.id).toString("base64url"),
      }),
    };
  };

const updateSchedule: Handler =
  (deps) =>
  async (message, { context, span }) => {
    const { store, ticker, clock } = deps;
    const { id, change: changes, fields } = parseRequest("UpdateSchedule", updateScheduleForm, message);
    span.setAttribute(ownKey.scheduleId, id);
    const schedule = await change(id, store, context, async (before) => {
      const now = overlay(before, changes, fields);
      // What was taken before is not refused because something else is changed.
      if (fields.includes("task")) await checkTask(now.task, deps);
      const nowMs = clock.nowMs();
      const after = moved(
        before,
        { ...toSaid(now, nowMs, before), updatedAtMs: nowMs, origin: toCarrier(context) },
        nowMs,
      );
      return (await store.changeSchedule(after, null, context)) === "changed" ? after : undefined;
    });
    logOf(id, deps, context).info("schedule changed", { fields, paused: schedule.isPaused });
    ticker.wake();
    return answer(schedule, await statusOf(schedule, store, context));
  };

const triggerSchedule: Handler =
  ({ store, ticker, clock }) =>
  async (message, { context, span }) => {
    const { id } = parseRequest("TriggerSchedule", namedSchedule, message);
    span.setAttribute(ownKey.scheduleId, id);
    const run = await change(id, store, context, async (schedule) => {
      const status = await statusOf(schedule, store, context);
      if (schedule.overlap !== "allow" && status !== undefined && !isEnded(status)) {
        const going = `its run "${schedule.lastRun?.taskId}" is ${status}`;
        throw new TaskError("conflict", `${going}, and the overlap policy "${schedule.overlap}" allows one at a time`);
      }
      return ticker.fire(schedule, clock.nowMs(), context);
    });
    const task = await store.get(run.id, context);
    if (!task) throw new TaskError("internal", "a task that was made just now is not there");
    return answerTask(task, []);
  };

const deleteSchedule: Handler =
  (deps) =>
  async (message, { context, span }) => {
    const { id } = parseRequest("DeleteSchedule", namedSchedule, message);
    span.setAttribute(ownKey.scheduleId, id);
    if (!(await deps.store.deleteSchedule(id, context))) throw noSchedule(id);
    logOf(id, deps, context).info("schedule deleted");
    return { json: "{}" };
  };

/** `tryOn` gives undefined when the schedule has moved on since it was read. */
async function change<T>(
  id: string,
  store: ScheduleStore,
  context: Context,
  tryOn: (schedule: Schedule) => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0; tries < maxTries; tries++) {
    const done = await tryOn(await find(id, store, context));
    if (done !== undefined) return done;
  }
  throw new TaskError("unavailable", `the schedule "${id}" changed ${maxTries} times while it was being changed`);
}

async function find(id: string, store: ScheduleStore, context: Context): Promise<Schedule> {
  const schedule = await store.getSchedule(id, context);
  if (!schedule) throw noSchedule(id);
  return schedule;
}

async function statusOf(
  { lastRun }: Schedule,
  store: Pick<TaskStore, "get">,
  context: Context,
): Promise<TaskStatus | undefined> {
  return lastRun ? (await store.get(lastRun.taskId, context))?.status : undefined;
}

function logOf(id: string, { log }: ScheduleDeps, context: Context): Logger {
  return log.in(context).with({ schedule_id: id });
}

function answer(schedule: Schedule, lastStatus: TaskStatus | undefined): Answer {
  return { json: writeJson(toSchedule(schedule, lastStatus)), metadata: { [idHeader]: schedule.id } };
}

/** The pointers of what does not fit, from where the task stands in the body. */
function below(place: string, error: unknown): unknown {
  if (!(error instanceof TaskError) || error.problems.length === 0) return error;
  const problems = error.problems.map(({ pointer, detail }) => ({ pointer: place + pointer, detail }));
  return new TaskError(error.code, error.message, { problems, cause: error });
}

function noSchedule(id: string): TaskError {
  return new TaskError("not_found", `there is no schedule "${id}"`);
}

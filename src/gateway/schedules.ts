/** The routes of schedules: make one, look at it, change, pause, resume, trigger or delete it. */

import type { ScheduleJson, ScheduleSpecJson } from "../gen/tasks_pb.ts";
import { TaskError } from "../words/errors.ts";
import type { CallInRequest } from "./edge.ts";
import { toSeconds, toTimestamp } from "./requests.ts";
import { toHttpTask } from "./responses.ts";
import { scheduleRoutes } from "./schedule-routes.ts";
import type { NewSchedule, ScheduleChange } from "./schedule-schemas.ts";
import { toHttpSchedule } from "./schedule-view.ts";
import { addRoute, type EdgeContext, type Routes } from "./serve-route.ts";

export function addScheduleRoutes(routes: Routes, call: CallInRequest): void {
  addRoute(routes, scheduleRoutes.create, async (c, { body }) => {
    const { id = "", ...said } = body;
    const { schedule } = await call(c, "CreateSchedule", { id, spec: toSpec(said) });
    const headers = { location: pathOf(c, `/schedules/${schedule?.id}`) };
    return answerSchedule(schedule, { status: 201, headers });
  });

  addRoute(routes, scheduleRoutes.list, async (c, { query: { limit = 0, cursor = "" } }) => {
    const answer = await call(c, "ListSchedules", { limit, cursor });
    return Response.json({ items: (answer.items ?? []).map(toHttpSchedule), next_cursor: answer.nextCursor || null });
  });

  addRoute(routes, scheduleRoutes.get, async (c, { id }) => {
    return answerSchedule((await call(c, "GetSchedule", { id })).schedule);
  });

  addRoute(routes, scheduleRoutes.change, async (c, { id, body }) => change(c, id, body));
  addRoute(routes, scheduleRoutes.pause, async (c, { id }) => change(c, id, { paused: true }));
  addRoute(routes, scheduleRoutes.resume, async (c, { id }) => change(c, id, { paused: false }));

  const change = async (c: EdgeContext, id: string, changes: ScheduleChange): Promise<Response> => {
    const request = { id, spec: toSpec(changes), updateMask: toMask(changes) };
    return answerSchedule((await call(c, "UpdateSchedule", request)).schedule);
  };

  addRoute(routes, scheduleRoutes.trigger, async (c, { id }) => {
    const { task } = await call(c, "TriggerSchedule", { id });
    if (!task) throw new TaskError("internal", "the task service answered without a task");
    const headers = { location: pathOf(c, `/tasks/${task.id}`) };
    return Response.json(toHttpTask(task), { status: 202, headers });
  });

  addRoute(routes, scheduleRoutes.delete, async (c, { id }) => {
    await call(c, "DeleteSchedule", { id });
    return new Response(null, { status: 204 });
  });
}

/** Below the same prefix as the request's own. */
function pathOf(c: EdgeContext, path: string): string {
  return `${c.req.path.startsWith("/v1/") ? "/v1" : ""}${path}`;
}

function answerSchedule(schedule: ScheduleJson | undefined, init: ResponseInit = {}): Response {
  if (!schedule) throw new TaskError("internal", "the task service answered without a schedule");
  return Response.json(toHttpSchedule(schedule), init);
}

/** The fields of the API and those of the RPC. */
const specFields: Record<keyof ScheduleChange, keyof ScheduleSpecJson> = {
  cron: "cron",
  time_zone: "timeZone",
  every: "every",
  task: "task",
  overlap: "overlap",
  catch_up: "catchUp",
  start_at: "startAt",
  end_at: "endAt",
  paused: "paused",
};

function toMask(changes: ScheduleChange): string {
  // The keys of what fits the schema are those of its type.
  return (Object.keys(changes) as (keyof ScheduleChange)[]).map((name) => specFields[name]).join(",");
}

/** What is null is not said. */
function toSpec(said: ScheduleChange): ScheduleSpecJson {
  const { cron, time_zone: timeZone, every, task, overlap, catch_up: catchUp, paused } = said;
  return {
    ...(cron !== undefined && { cron }),
    ...(timeZone != null && { timeZone }),
    ...(every !== undefined && { every: toSeconds(every) }),
    ...(task && { task: toScheduledTask(task) }),
    ...(overlap != null && { overlap }),
    ...(catchUp != null && { catchUp }),
    ...(said.start_at != null && { startAt: toTimestamp(said.start_at) }),
    ...(said.end_at != null && { endAt: toTimestamp(said.end_at) }),
    ...(paused !== undefined && { paused }),
  };
}

function toScheduledTask(task: NewSchedule["task"]): NonNullable<ScheduleSpecJson["task"]> {
  return {
    type: task.type,
    // It came out of JSON.parse.
    payload: (task.payload ?? null) as NonNullable<NonNullable<ScheduleSpecJson["task"]>["payload"]>,
    ...(task.timeout !== undefined && { timeout: toSeconds(task.timeout) }),
    ...(task.max_attempts !== undefined && { maxAttempts: task.max_attempts }),
    ...(task.metadata && { metadata: task.metadata }),
  };
}

/** Schedules over HTTP: make one, look at it, change, pause, resume, trigger or delete it. */

import { z } from "zod";
import { newSchedule, schedule, scheduleChange, scheduleId } from "../api/schedule.ts";
import { task } from "../api/task.ts";
import { idHeader } from "../rpc/wire.ts";
import { answerWith, type CallInRequest, type EdgeContext, pathOf } from "./request.ts";
import { declareRoute } from "./route.ts";
import { addRoute, type Routes } from "./serve-route.ts";

const tag = "schedules";
const path = "/schedules";
const one = { path: `${path}/{id}`, pathId: scheduleId };
const shown = { 200: { description: "The schedule as it is now.", schema: schedule } };
const location = z.object({ location: z.string().meta({ description: "Its path." }) });

export const scheduleRoutes = {
  create: declareRoute({
    operationId: "createSchedule",
    tag,
    method: "post",
    path,
    scope: "submit",
    summary: "Have a task made again and again",
    description: "By a cron expression in a time zone, or every so often; exactly one run for each tick.",
    body: newSchedule,
    answers: { 201: { description: "The schedule.", schema: schedule, headers: location } },
    problems: ["conflict"],
  }),

  list: declareRoute({
    operationId: "listSchedules",
    tag,
    method: "get",
    path,
    scope: "read",
    summary: "List schedules",
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(100).optional().meta({ description: "Most items in the answer." }),
      cursor: z.string().max(200).optional().meta({ description: "The `next_cursor` of an earlier answer." }),
    }),
    answers: {
      200: {
        description: "In the order of their ids.",
        schema: z.object({ items: z.array(schedule), next_cursor: z.string().nullable() }),
      },
    },
  }),

  get: declareRoute({
    operationId: "getSchedule",
    tag,
    method: "get",
    ...one,
    scope: "read",
    summary: "Look at a schedule, its last run and the next ones",
    answers: shown,
    problems: ["not_found"],
  }),

  change: declareRoute({
    operationId: "changeSchedule",
    tag,
    method: "patch",
    ...one,
    scope: "operate",
    summary: "Change a schedule",
    description: "Runs that were made already stay as they are.",
    body: scheduleChange,
    answers: shown,
    problems: ["not_found"],
  }),

  pause: declareRoute({
    operationId: "pauseSchedule",
    tag,
    method: "post",
    ...one,
    path: `${one.path}/pause`,
    scope: "operate",
    summary: "Let a schedule's ticks pass without a run",
    answers: shown,
    problems: ["not_found"],
  }),

  resume: declareRoute({
    operationId: "resumeSchedule",
    tag,
    method: "post",
    ...one,
    path: `${one.path}/resume`,
    scope: "operate",
    summary: "Let a paused schedule go on, with its next tick",
    answers: shown,
    problems: ["not_found"],
  }),

  trigger: declareRoute({
    operationId: "triggerSchedule",
    tag,
    method: "post",
    ...one,
    path: `${one.path}/trigger`,
    scope: "operate",
    summary: "Make a run now",
    description: "Also of a paused schedule. While a run goes on, only if its `overlap` is `allow`.",
    answers: { 202: { description: "The run.", schema: task, headers: location } },
    problems: ["not_found", "conflict"],
  }),

  delete: declareRoute({
    operationId: "deleteSchedule",
    tag,
    method: "delete",
    ...one,
    scope: "operate",
    summary: "Delete a schedule",
    description: "Its runs stay, and those that have begun go on.",
    answers: { 204: { description: "It is gone." } },
    problems: ["not_found"],
  }),
};

export function addScheduleRoutes(routes: Routes, call: CallInRequest): void {
  addRoute(routes, scheduleRoutes.create, async (c, { body }) => {
    const answer = await call(c, "CreateSchedule", body);
    return answerWith(answer, 201, { location: pathOf(c, `/schedules/${answer.metadata(idHeader)}`) });
  });

  addRoute(routes, scheduleRoutes.list, async (c, { query }) => answerWith(await call(c, "ListSchedules", query)));

  addRoute(routes, scheduleRoutes.get, async (c, { id }) => answerWith(await call(c, "GetSchedule", { id })));

  const change = async (c: EdgeContext, id: string, changes: object): Promise<Response> => {
    return answerWith(await call(c, "UpdateSchedule", { id, change: changes, fields: Object.keys(changes) }));
  };

  addRoute(routes, scheduleRoutes.change, async (c, { id, body }) => change(c, id, body));
  addRoute(routes, scheduleRoutes.pause, async (c, { id }) => change(c, id, { paused: true }));
  addRoute(routes, scheduleRoutes.resume, async (c, { id }) => change(c, id, { paused: false }));

  addRoute(routes, scheduleRoutes.trigger, async (c, { id }) => {
    const answer = await call(c, "TriggerSchedule", { id });
    return answerWith(answer, 202, { location: pathOf(c, `/tasks/${answer.metadata(idHeader)}`) });
  });

  addRoute(routes, scheduleRoutes.delete, async (c, { id }) => {
    await call(c, "DeleteSchedule", { id });
    return new Response(null, { status: 204 });
  });
}

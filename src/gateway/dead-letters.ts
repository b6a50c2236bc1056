/** The routes of dead letters: look at them, bring them back at a chosen rate, or put them away. */

import type { DeadSelectionJson, RedriveDeadLettersRequestJson, RedriveJson } from "../gen/tasks_pb.ts";
import { TaskError } from "../words/errors.ts";
import { canonicalId, isTaskId } from "../words/task-id.ts";
import { type DeadLetterFilter, deadLetterRoutes } from "./dead-letter-routes.ts";
import type { CallInRequest } from "./edge.ts";
import { toTimestamp } from "./requests.ts";
import { toHttpDeadLetter, toHttpGroup, toHttpRedrive, toHttpTask, toHttpUnreadable } from "./responses.ts";
import { addRoute, type Routes } from "./serve-route.ts";

type RedrivePayload = RedriveDeadLettersRequestJson["payload"];

export function addDeadLetterRoutes(routes: Routes, call: CallInRequest): void {
  addRoute(routes, deadLetterRoutes.list, async (c, { query: { limit = 0, cursor = "", ...filter } }) => {
    const answer = await call(c, "ListDeadLetters", { selection: toSelection(filter), limit, cursor });
    return Response.json({
      items: (answer.items ?? []).map(toHttpDeadLetter),
      next_cursor: answer.nextCursor || null,
    });
  });

  addRoute(routes, deadLetterRoutes.listGroups, async (c, { query: { limit = 0, ...filter } }) => {
    const { items } = await call(c, "ListDeadLetterGroups", { selection: toSelection(filter), limit });
    return Response.json({ items: (items ?? []).map(toHttpGroup) });
  });

  addRoute(routes, deadLetterRoutes.listUnreadable, async (c, { query: { limit = 0 } }) => {
    const { items } = await call(c, "ListUnreadable", { limit });
    return Response.json({ items: (items ?? []).map(toHttpUnreadable) });
  });

  addRoute(routes, deadLetterRoutes.redrive, async (c, { body }) => {
    const { redrive } = await call(c, "RedriveDeadLetters", {
      selection: body.ids ? { ids: body.ids } : toSelection(body.filter ?? {}),
      ratePerSecond: body.rate_per_second ?? 0,
      dryRun: body.dry_run ?? false,
      force: body.force ?? false,
      reason: body.reason ?? "",
      // JSON it is: it came as such.
      ...(body.payload !== undefined && { payload: body.payload as NonNullable<RedrivePayload> }),
    });
    return answerRedrive(redrive, body.dry_run ? 200 : 202);
  });

  addRoute(routes, deadLetterRoutes.getRedrive, async (c, { id, query: { outcome } }) => {
    const { redrive } = await call(c, "GetRedrive", { id, withOutcome: outcome === "true" });
    return answerRedrive(redrive, 200);
  });

  for (const command of ["pause", "resume", "cancel"] as const) {
    addRoute(routes, deadLetterRoutes[`${command}Redrive`], async (c, { id }) => {
      return answerRedrive((await call(c, "ControlRedrive", { id, command })).redrive, 200);
    });
  }

  addRoute(routes, deadLetterRoutes.get, async (c, { id }) => {
    const { items } = isTaskId(canonicalId(id))
      ? await call(c, "ListDeadLetters", { selection: { ids: [id] } })
      : { items: [] };
    const letter = items?.[0];
    if (!letter) throw new TaskError("not_found", `there is no dead letter "${id}"`);
    return Response.json(toHttpDeadLetter(letter));
  });

  addRoute(routes, deadLetterRoutes.discard, async (c, { id, body: { reason } }) => {
    const { task } = await call(c, "DiscardDeadLetter", { id, reason });
    if (!task) throw new TaskError("internal", "the task service answered without a task");
    return Response.json(toHttpTask(task));
  });
}

function toSelection({ type, error, reason, group, since, until }: DeadLetterFilter): DeadSelectionJson {
  return {
    ...(type && { type }),
    ...(error && { errorType: error }),
    ...(reason && { reason }),
    ...(group && { group }),
    ...(since !== undefined && { since: toTimestamp(since) }),
    ...(until !== undefined && { until: toTimestamp(until) }),
  };
}

function answerRedrive(redrive: RedriveJson | undefined, status: number): Response {
  if (!redrive) throw new TaskError("internal", "the task service answered without a redrive");
  return Response.json(toHttpRedrive(redrive), { status });
}

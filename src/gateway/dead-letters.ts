/** The routes of dead letters: look at them, bring them back at a chosen rate, or put them away. */

import type { Hono, Context as HonoContext } from "hono";
import { z } from "zod";
import { TaskError } from "../errors.ts";
import type { DeadSelectionJson, RedriveDeadLettersRequestJson, RedriveJson } from "../gen/tasks_pb.ts";
import { parseJson, readBody } from "../http-body.ts";
import { isTaskId, taskReasons, taskTypePattern } from "../task.ts";
import type { CallInRequest, Edge } from "./edge.ts";
import { maxBodyBytes, maxBodyDepth, parseBody, refuseQuery } from "./requests.ts";
import { toHttpDeadLetter, toHttpRedrive, toHttpTask, toHttpUnreadable } from "./responses.ts";

type EdgeContext = HonoContext<Edge>;

const filter = z.strictObject({
  type: z.string().regex(taskTypePattern, "expected a task type").optional(),
  error: z.string().min(1).max(255).optional(),
  reason: z.enum(taskReasons).optional(),
});

const redriveBody = z
  .strictObject({
    ids: z.array(z.string().refine(isTaskId, "expected a task id")).min(1).max(1000).optional(),
    filter: filter.optional(),
    rate_per_second: z.number().min(0.001).max(100_000).optional(),
    dry_run: z.boolean().optional(),
    force: z.boolean().optional(),
    reason: z.string().max(1024).optional(),
  })
  .refine((body) => (body.ids === undefined) !== (body.filter === undefined), {
    message: "expected either ids or filter; the filter {} fits all",
  });

const discardBody = z.strictObject({ reason: z.string().min(1).max(1024) });

const pageLimit = z.coerce.number().int().min(1).max(100);

/** Adds them below `path`. */
export function addDeadLetterRoutes(app: Hono<Edge>, path: string, call: CallInRequest): void {
  const list = async (c: EdgeContext): Promise<Response> => {
    const query = new URL(c.req.url).searchParams;
    refuseQuery(query, "type", "error", "reason", "limit", "cursor");
    const selection = toSelection(parseQuery(filter, pick(query, "type", "error", "reason")));
    const limit = query.has("limit") ? parseQuery(pageLimit, query.get("limit")) : 0;
    const answer = await call(c, "ListDeadLetters", { selection, limit, cursor: query.get("cursor") ?? "" });
    return Response.json({
      items: (answer.items ?? []).map(toHttpDeadLetter),
      next_cursor: answer.nextCursor || null,
    });
  };

  const get = async (c: EdgeContext): Promise<Response> => {
    refuseQuery(new URL(c.req.url).searchParams);
    const id = idOf(c);
    const { items } = isTaskId(id) ? await call(c, "ListDeadLetters", { selection: { ids: [id] } }) : { items: [] };
    const letter = items?.[0];
    if (!letter) throw new TaskError("not_found", `there is no dead letter "${id}"`);
    return Response.json(toHttpDeadLetter(letter));
  };

  const listUnreadable = async (c: EdgeContext): Promise<Response> => {
    const query = new URL(c.req.url).searchParams;
    refuseQuery(query, "limit");
    const limit = query.has("limit") ? parseQuery(pageLimit, query.get("limit")) : 0;
    const { items } = await call(c, "ListUnreadable", { limit });
    return Response.json({ items: (items ?? []).map(toHttpUnreadable) });
  };

  const redrive = async (c: EdgeContext): Promise<Response> => {
    const request = toRedriveRequest(await bodyOf(c));
    const { redrive: ordered } = await call(c, "RedriveDeadLetters", request);
    return answerRedrive(ordered, request.dryRun ? 200 : 202);
  };

  const getRedrive = async (c: EdgeContext): Promise<Response> => {
    refuseQuery(new URL(c.req.url).searchParams);
    return answerRedrive((await call(c, "GetRedrive", { id: idOf(c) })).redrive, 200);
  };

  const control =
    (command: string) =>
    async (c: EdgeContext): Promise<Response> => {
      refuseQuery(new URL(c.req.url).searchParams);
      return answerRedrive((await call(c, "ControlRedrive", { id: idOf(c), command })).redrive, 200);
    };

  const discard = async (c: EdgeContext): Promise<Response> => {
    const { reason } = parseBody(discardBody, await bodyOf(c));
    const { task } = await call(c, "DiscardDeadLetter", { id: idOf(c), reason });
    if (!task) throw new TaskError("internal", "the task service answered without a task");
    return Response.json(toHttpTask(task));
  };

  app.get(path, list);
  app.get(`${path}/unreadable`, listUnreadable);
  app.post(`${path}/redrive`, redrive);
  app.get(`${path}/redrives/:id`, getRedrive);
  for (const command of ["pause", "resume", "cancel"]) app.post(`${path}/redrives/:id/${command}`, control(command));
  app.get(`${path}/:id`, get);
  app.post(`${path}/:id/discard`, discard);
}

function idOf(c: EdgeContext): string {
  return c.req.param("id") ?? "";
}

async function bodyOf(c: EdgeContext): Promise<unknown> {
  refuseQuery(new URL(c.req.url).searchParams);
  return parseJson(await readBody(c.req.raw, maxBodyBytes), maxBodyDepth);
}

function pick(query: URLSearchParams, ...names: string[]): Record<string, string> {
  return Object.fromEntries([...query].filter(([name]) => names.includes(name)));
}

function parseQuery<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new TaskError("invalid_argument", `${issue?.path.join(".") || "limit"}: ${issue?.message ?? "does not fit"}`);
}

function toRedriveRequest(body: unknown): RedriveDeadLettersRequestJson {
  const asked = parseBody(redriveBody, body);
  return {
    selection: asked.ids ? { ids: asked.ids } : toSelection(asked.filter ?? {}),
    ratePerSecond: asked.rate_per_second ?? 0,
    dryRun: asked.dry_run ?? false,
    force: asked.force ?? false,
    reason: asked.reason ?? "",
  };
}

function toSelection({ type, error, reason }: z.infer<typeof filter>): DeadSelectionJson {
  return { ...(type && { type }), ...(error && { errorType: error }), ...(reason && { reason }) };
}

function answerRedrive(redrive: RedriveJson | undefined, status: number): Response {
  if (!redrive) throw new TaskError("internal", "the task service answered without a redrive");
  return Response.json(toHttpRedrive(redrive), { status });
}

/** From a declared route to one that is served: who may use it, what the request says, and what there is elsewhere. */

import type { Hono } from "hono";
import type { z } from "zod";
import { checkForm } from "../api/fields.ts";
import { parseJson, readBody, wellFormed } from "../http/body.ts";
import { toProblem } from "../http/problem.ts";
import { cutText } from "../telemetry/spans/attributes.ts";
import { TaskError } from "../words/errors.ts";
import type { Edge, EdgeContext } from "./request.ts";
import { type Route, takesBody } from "./route.ts";

/** What a request says, once it fits its route. */
export interface Asked<Query, Body> {
  /** Of the path; empty when it has none. */
  id: string;
  query: Query;
  /** As it was sent, once it fits: what it means is read by the task service. */
  body: Body;
}

export interface Routes {
  app: Hono<Edge>;
  /** Those that are served, in the order in which they were added. */
  all: Route[];
  /** Throws for who may not use the route, or not now. Asked before anything else of the request is looked at. */
  admit(c: EdgeContext, route: Route): void | Promise<void>;
  /** Throws when the caller may not ask for `count` more now: for a route that takes many things at once. */
  charge(c: EdgeContext, route: Route, count: number): void | Promise<void>;
}

/** Serves `route` at its path and, unless it is unversioned, below `/v1`. */
export function addRoute<Query extends z.ZodType, Body extends z.ZodType>(
  routes: Routes,
  route: Route<Query, Body>,
  handler: (c: EdgeContext, asked: Asked<z.output<Query>, z.input<Body>>) => Response | Promise<Response>,
): void {
  routes.all.push(route);
  const serve = async (c: EdgeContext): Promise<Response> => {
    if (isOfOther(routes.all, route, c.req.path)) return answerUnrouted(routes.all, c);
    await routes.admit(c, route);
    const query = parseQuery(route.query, c.req.url);
    const body = takesBody(route) ? await readJson(c, route) : undefined;
    checkForm(route.body, body);
    // It fits its form.
    return handler(c, { id: c.req.param("id") ?? "", query, body: body as z.input<Body> });
  };
  const path = route.path.replace(/\{(\w+)\}/g, ":$1");
  for (const prefix of route.isUnversioned ? [""] : ["/v1", ""]) {
    routes.app.on(route.method.toUpperCase(), `${prefix}${path}`, serve);
  }
}

async function readJson(c: EdgeContext, { maxBodyBytes, maxBodyDepth, checksItems }: Route): Promise<unknown> {
  const json = parseJson(await readBody(c.req.raw, maxBodyBytes), { maxDepth: maxBodyDepth });
  return checksItems ? json : wellFormed(json, c.req.header("idempotency-key") !== undefined);
}

/**
 * The answer to a request that no route took: 204 to `OPTIONS`, else a problem, 404 or 405. Where there is anything at
 * its path, `Allow` says what may be asked there (RFC 9110, 9.3.7 and 15.5.6).
 */
export function answerUnrouted(all: readonly Route[], c: EdgeContext): Response {
  const { method, path } = c.req;
  const { traceId } = c.get("trace").span.spanContext();
  const allow = allowedMethods(all, path).join(", ");
  if (allow === "") return toProblem(new TaskError("not_found", `there is nothing at ${method} ${path}`), traceId);
  if (method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const error = new TaskError("method_not_allowed", `${path} does not take ${method}; it takes ${allow}`);
  const answer = toProblem(error, traceId);
  answer.headers.set("allow", allow);
  return answer;
}

/** Empty when nothing is at `path`. `GET` brings `HEAD`, and any of them `OPTIONS`. */
function allowedMethods(all: readonly Route[], path: string): string[] {
  const fitting = all.filter((route) => patternOf(route).test(route.isUnversioned ? path : withoutVersion(path)));
  // As in OpenAPI: a path that stands there word by word is not one with an id.
  const wordByWord = fitting.filter(({ path: own }) => !own.includes("{"));
  const methods = new Set((wordByWord.length > 0 ? wordByWord : fitting).map(({ method }) => method.toUpperCase()));
  if (methods.has("GET")) methods.add("HEAD");
  if (methods.size > 0) methods.add("OPTIONS");
  return [...methods].sort();
}

/** Whether `path` is word by word that of another route, such as `/tasks/batch` of `/tasks/{id}`. */
function isOfOther(all: readonly Route[], route: Route, path: string): boolean {
  if (!route.path.includes("{")) return false;
  const own = withoutVersion(path);
  return own !== route.path && all.some((other) => other.path === own);
}

function withoutVersion(path: string): string {
  return path.replace(/^\/v1(?=\/)/, "");
}

function patternOf({ path }: Route): RegExp {
  return new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);
}

/** The query of `url`; throws `invalid_argument` that names the first parameter which is unknown, wrong, or there twice. */
function parseQuery<Schema extends z.ZodType>(schema: Schema, url: string): z.output<Schema> {
  const query = url.includes("?") ? queryOf(url) : {};
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new TaskError("invalid_argument", issue ? tell(issue, query) : "the query does not fit");
}

function queryOf(url: string): Record<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of new URL(url).searchParams) {
    if (query.has(name)) {
      throw new TaskError("invalid_argument", `the query parameter "${cutText(name)}" is there more than once`);
    }
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

function tell(issue: z.core.$ZodIssue, query: Record<string, string>): string {
  if (issue.code === "unrecognized_keys") return `unknown query parameter "${cutText(issue.keys[0] ?? "")}"`;
  const name = issue.path.join(".");
  const value = query[name];
  return `${name || "the query"}: ${value === undefined ? "" : `"${cutText(value)}": `}${issue.message}`;
}

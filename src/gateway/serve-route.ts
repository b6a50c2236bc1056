/** From a declared route to one that is served: who may use it, what the request says, and what there is elsewhere. */

import type { Hono, Context as HonoContext } from "hono";
import type { z } from "zod";
import { parseJson, readBody } from "../http/body.ts";
import { toProblem } from "../http/problem.ts";
import { type FieldProblem, TaskError } from "../words/errors.ts";
import type { Edge } from "./edge.ts";
import { parseBody, parseQuery } from "./requests.ts";
import { type Route, takesBody } from "./route.ts";
import { allRoutes } from "./routes.ts";

export type EdgeContext = HonoContext<Edge>;

/** What a request says, once it fits its route. */
export interface Asked<Query, Body> {
  /** Of the path; empty when it has none. */
  id: string;
  query: Query;
  body: Body;
  /** Parts of the body that cannot be kept as they are; only a route that `checksItems` is called with any. */
  lost: Iterable<FieldProblem>;
}

export interface Routes {
  app: Hono<Edge>;
  /** Throws for who may not use the route, or not now. Asked before anything else of the request is looked at. */
  admit(c: EdgeContext, route: Route): void | Promise<void>;
  /** Throws when the caller may not ask for `count` more now: for a route that takes many things at once. */
  charge(c: EdgeContext, route: Route, count: number): void | Promise<void>;
}

/** Serves `route` at its path and, unless it is unversioned, below `/v1`. */
export function addRoute<Query extends z.ZodType, Body extends z.ZodType>(
  routes: Routes,
  route: Route<Query, Body>,
  handler: (c: EdgeContext, asked: Asked<z.output<Query>, z.output<Body>>) => Response | Promise<Response>,
): void {
  const words = wordsInPlaceOfId(route);
  const serve = async (c: EdgeContext): Promise<Response> => {
    if (words.size > 0 && words.has(withoutVersion(c.req.path))) return answerUnrouted(c);
    await routes.admit(c, route);
    const query = parseQuery(route.query, c.req.url);
    const { json, lost } = takesBody(route) ? await readJson(c, route) : nothing;
    const body = parseBody(route.body, json);
    return handler(c, { id: c.req.param("id") ?? "", query, body, lost });
  };
  const path = route.path.replace(/\{(\w+)\}/g, ":$1");
  for (const prefix of route.isUnversioned ? [""] : ["/v1", ""]) {
    routes.app.on(route.method.toUpperCase(), `${prefix}${path}`, serve);
  }
}

interface ReadJson {
  json: unknown;
  lost: Iterable<FieldProblem>;
}

const nothing: ReadJson = { json: undefined, lost: [] };

async function readJson(c: EdgeContext, { maxBodyBytes, maxBodyDepth, checksItems }: Route): Promise<ReadJson> {
  const body = await readBody(c.req.raw, maxBodyBytes);
  const limits = { maxDepth: maxBodyDepth, isKeyed: c.req.header("idempotency-key") !== undefined };
  if (!checksItems) return { json: parseJson(body, limits), lost: [] };
  let lost: Iterable<FieldProblem> = [];
  const json = parseJson(body, {
    ...limits,
    takeLost: (found) => {
      lost = found;
    },
  });
  return { json, lost };
}

/**
 * The answer to a request that no route took: 204 to `OPTIONS`, else a problem, 404 or 405. Where there is anything at
 * its path, `Allow` says what may be asked there (RFC 9110, 9.3.7 and 15.5.6).
 */
export function answerUnrouted(c: EdgeContext): Response {
  const { method, path } = c.req;
  const { traceId } = c.get("trace").span.spanContext();
  const allow = allowedMethods(path).join(", ");
  if (allow === "") return toProblem(new TaskError("not_found", `there is nothing at ${method} ${path}`), traceId);
  if (method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const error = new TaskError("method_not_allowed", `${path} does not take ${method}; it takes ${allow}`);
  const answer = toProblem(error, traceId);
  answer.headers.set("allow", allow);
  return answer;
}

/** Empty when nothing is at `path`. `GET` brings `HEAD`, and any of them `OPTIONS`. */
function allowedMethods(path: string): string[] {
  const fitting = allRoutes.filter((route) => patternOf(route).test(route.isUnversioned ? path : withoutVersion(path)));
  // As in OpenAPI: a path that stands there word by word is not one with an id.
  const wordByWord = fitting.filter(({ path: own }) => !own.includes("{"));
  const methods = new Set((wordByWord.length > 0 ? wordByWord : fitting).map(({ method }) => method.toUpperCase()));
  if (methods.has("GET")) methods.add("HEAD");
  if (methods.size > 0) methods.add("OPTIONS");
  return [...methods].sort();
}

/** Paths of other routes that would fit this one, were their last word an id: `/tasks/batch` of `/tasks/{id}`. */
function wordsInPlaceOfId(route: Route): Set<string> {
  const pattern = patternOf(route);
  return new Set(allRoutes.map(({ path }) => path).filter((path) => path !== route.path && pattern.test(path)));
}

function withoutVersion(path: string): string {
  return path.replace(/^\/v1(?=\/)/, "");
}

function patternOf({ path }: Route): RegExp {
  return new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);
}

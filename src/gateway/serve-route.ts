/** From a declared route to one that is served: where it is, who may use it, what the request says, and what there is elsewhere. */

import type { Hono } from "hono";
import type { z } from "zod";
import { checkForm } from "../api/fields.ts";
import { parseJson, readBody } from "../http/body.ts";
import { toProblem } from "../http/problem.ts";
import { cutText } from "../telemetry/spans/attributes.ts";
import { TaskError } from "../words/errors.ts";
import { type Edge, type EdgeContext, headerOf, type Serve } from "./request.ts";
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
  places: Places;
  serve: Serve;
  /** Throws for who may not use the route, or not now. Asked before anything else of the request is looked at. */
  admit(c: EdgeContext, route: Route): void | Promise<void>;
  /** Throws when the caller may not ask for `count` more now: for a route that takes many things at once. */
  charge(c: EdgeContext, route: Route, count: number): void | Promise<void>;
}

/** A route at one of its paths. */
interface Place {
  method: string;
  /** As the conventions write it: `/v1/tasks/{id}`. */
  path: string;
}

/** Where the routes are. As in OpenAPI: a path that stands there word by word is not one with an id. */
export class Places {
  /** In the order in which they were added. */
  readonly routes: Route[] = [];
  readonly #wordByWord = new Map<string, Place[]>();
  readonly #withId: (Place & { pattern: RegExp })[] = [];

  /** At its path and, unless it is unversioned, below `/v1`. */
  add(route: Route): Place[] {
    this.routes.push(route);
    return (route.isUnversioned ? [""] : ["/v1", ""]).map((prefix) => {
      const place = { method: route.method.toUpperCase(), path: `${prefix}${route.path}` };
      if (!place.path.includes("{")) {
        this.#wordByWord.set(place.path, [...(this.#wordByWord.get(place.path) ?? []), place]);
        return place;
      }
      const pattern = new RegExp(`^${place.path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);
      const withId = { ...place, pattern };
      this.#withId.push(withId);
      return withId;
    });
  }

  at(path: string): readonly Place[] {
    return this.#wordByWord.get(path) ?? this.#withId.filter(({ pattern }) => pattern.test(path));
  }

  /** Whether another place has that path word by word, such as `/tasks/batch` of `/tasks/{id}`. */
  isOfOther(place: Place, path: string): boolean {
    return path !== place.path && this.#wordByWord.has(path);
  }
}

/** Serves `route` at its places. */
export function addRoute<Query extends z.ZodType, Body extends z.ZodType>(
  routes: Routes,
  route: Route<Query, Body>,
  handler: (c: EdgeContext, asked: Asked<z.output<Query>, z.input<Body>>) => Response | Promise<Response>,
): void {
  const hasBody = takesBody(route);
  const answer = async (c: EdgeContext, id: string): Promise<Response> => {
    const admission = routes.admit(c, route);
    if (admission) await admission;
    const query = parseQuery(route.query, c.request.url);
    const body = hasBody ? await readJson(c, route) : undefined;
    checkForm(route.body, body);
    // It fits its form.
    return handler(c, { id, query, body: body as z.input<Body> });
  };
  for (const place of routes.places.add(route)) {
    routes.app.on(place.method, place.path.replace("{id}", ":id"), (h) =>
      routes.places.isOfOther(place, h.req.path)
        ? routes.serve(h, undefined, (c) => answerUnrouted(routes, c))
        : routes.serve(h, place.path, (c) => answer(c, h.req.param("id") ?? "")),
    );
  }
}

async function readJson(c: EdgeContext, { maxBodyBytes, maxBodyDepth, checksItems }: Route): Promise<unknown> {
  const body = await readBody(c.request, maxBodyBytes);
  const halves = checksItems ? "kept" : headerOf(c, "idempotency-key") === undefined ? "mended" : "refused";
  return parseJson(body, { maxDepth: maxBodyDepth, halves });
}

/**
 * The answer to a request that no route took: 204 to `OPTIONS`, else a problem, 404 or 405. Where there is anything at
 * its path, `Allow` says what may be asked there (RFC 9110, 9.3.7 and 15.5.6).
 */
export function answerUnrouted({ places }: Routes, { request: { method }, path, trace }: EdgeContext): Response {
  const { traceId } = trace.span.spanContext();
  const allow = allowedMethods(places.at(path)).join(", ");
  if (allow === "") return toProblem(new TaskError("not_found", `there is nothing at ${method} ${path}`), traceId);
  if (method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const error = new TaskError("method_not_allowed", `${path} does not take ${method}; it takes ${allow}`);
  const answer = toProblem(error, traceId);
  answer.headers.set("allow", allow);
  return answer;
}

/** Empty when nothing is there. `GET` brings `HEAD`, and any of them `OPTIONS`. */
function allowedMethods(places: readonly Place[]): string[] {
  const methods = new Set(places.map(({ method }) => method));
  if (methods.has("GET")) methods.add("HEAD");
  if (methods.size > 0) methods.add("OPTIONS");
  return [...methods].sort();
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

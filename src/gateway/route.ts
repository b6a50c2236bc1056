/**
 * What the HTTP API promises of a route: the one declaration from which it is served, checked, and described in OpenAPI.
 * A route more takes four steps:
 *
 * 1. Declare it beside the others of its noun, as in `src/gateway/task-routes.ts`: `declareRoute({ … })`.
 * 2. Give it the scope that a caller's key must have.
 * 3. Serve it, as in `src/gateway/tasks.ts`: `addRoute(routes, taskRoutes.getTask, async (c, { id, query }) => …)`.
 * 4. For a noun that is new, add its routes to `src/gateway/routes.ts`.
 */

import { z } from "zod";
import type { Scope } from "../access/api-key-file.ts";
import type { ErrorCode } from "../words/errors.ts";

/** An answer that is no problem. */
export interface Answer {
  /** A sentence: when it is given. */
  description: string;
  /** Of its body; undefined when it has none. */
  schema?: z.ZodType;
  /** Of its body, unless that is JSON. */
  contentType?: string;
  /** Beside those that every answer has; a header that is not always there is optional. */
  headers?: z.ZodObject;
}

export interface Route<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  /** In camel case: the name of the function in a generated client. */
  operationId: string;
  /** The noun under which it is described. */
  tag: string;
  method: "get" | "post" | "put" | "patch" | "delete";
  /** As OpenAPI writes it, without `/v1`: `/tasks/{id}`. A word that stands in place of an id comes before the id. */
  path: string;
  /** What the `{id}` of the path is, unless it is a task's. */
  pathId?: z.ZodType;
  /** It stands at `path` alone, not below `/v1` too. */
  isUnversioned: boolean;
  /** null: everybody may use it. */
  scope: Scope | null;
  /** A few words, and what a caller should know beside them. */
  summary: string;
  description: string;
  /** An object of texts; a parameter that it does not know is refused. */
  query: Query;
  /** Those that it reads beside those that every route reads. */
  headers: z.ZodObject;
  /** `noBody`, or what its JSON must be. */
  body: Body;
  maxBodyBytes: number;
  maxBodyDepth: number;
  /** Its body is an array, each item of which is accepted or refused by itself. */
  checksItems: boolean;
  /** By status. */
  answers: Readonly<Record<number, Answer>>;
  /** What it may be refused with beside `usualProblems`. */
  problems: readonly ErrorCode[];
}

export const noQuery = z.strictObject({});
const noHeaders = z.object({});
export const noBody = z.undefined();

const usual = {
  isUnversioned: false,
  description: "",
  headers: noHeaders,
  maxBodyBytes: 256 * 1024,
  maxBodyDepth: 64,
  checksItems: false,
  problems: [],
} satisfies Partial<Route>;

type Needed = "operationId" | "tag" | "method" | "path" | "scope" | "summary" | "answers";

/** With what most routes have, where `route` does not say. */
export function declareRoute<Query extends z.ZodType = typeof noQuery, Body extends z.ZodType = typeof noBody>(
  route: Pick<Route, Needed> & Partial<Omit<Route, Needed | "query" | "body">> & { query?: Query; body?: Body },
): Route<Query, Body> {
  // What is left out has the type that its parameter has by default.
  return { ...usual, query: noQuery, body: noBody, ...route } as Route<Query, Body>;
}

export function takesBody(route: Route): boolean {
  return route.body !== noBody;
}

const guarded = [
  "unauthenticated",
  "permission_denied",
  "resource_exhausted",
  "unavailable",
  "deadline_exceeded",
] as const;

/** What a route may be refused with, whatever it does. */
export function usualProblems(route: Route): ErrorCode[] {
  return [
    "invalid_argument",
    ...(takesBody(route) ? (["payload_too_large"] as const) : []),
    ...(route.scope === null ? [] : guarded),
    "internal",
  ];
}

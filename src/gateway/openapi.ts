/** The HTTP API as OpenAPI 3.1, made from the routes as they are served. Loaded only when it is asked for. */

import { z } from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import type { Scope } from "../access/api-key-file.ts";
import { taskId } from "../api/task.ts";
import { problem } from "../http/problem.ts";
import { productVersion } from "../version.ts";
import { type ErrorCode, meanings } from "../words/errors.ts";
import { type Answer, type Route, takesBody, usualProblems } from "./route.ts";

export type ApiDocument = ReturnType<typeof createDocument>;

/** The nouns that routes are about. */
const tags: readonly { name: string; description: string }[] = [
  { name: "tasks", description: "Hand in work, and see what becomes of it." },
  { name: "dead letters", description: "Tasks that failed for good: why they did, and their way back." },
  { name: "schedules", description: "Tasks that are made again and again." },
  { name: "health", description: "For whoever watches over the process." },
  { name: "description", description: "What there is." },
];

const description = `Every task is one trace: each answer tells in \`traceresponse\` where to find it.

All paths below \`/v1\` are there without \`/v1\`, too. Times are RFC 3339 in UTC. Errors are problems (RFC 9457).
An unknown field or query parameter is refused. Answers may get fields that are not told here.`;

/** What every route reads. None of it is ever refused: what cannot be used is left out, or made anew. */
const headersIn = z.object({
  traceparent: headerIn(
    "TraceParent",
    "The caller's trace (W3C Trace Context), with `tracestate` and `baggage`. It goes on where the caller is trusted.",
  ),
  "x-request-id": headerIn("RequestId", "Kept, or made anew unless it is 1 to 128 visible characters."),
  "x-correlation-id": headerIn(
    "CorrelationId",
    "Kept on the task, or made anew unless it is 1 to 64 letters, digits or . _ -",
  ),
  "x-force-trace": headerIn("ForceTrace", "`true`: the trace is sampled whole."),
});

function headerIn(id: string, description: string): z.ZodType {
  return z.string().optional().meta({ param: { id, description } });
}

/** What every answer has. */
const headersOut = {
  "x-request-id": headerOut("RequestId", "Of this request, as it stands in logs and spans."),
  "x-correlation-id": headerOut("CorrelationId", "Of everything that belongs together."),
  traceresponse: headerOut("TraceResponse", "The trace of this request (W3C Trace Context level 2)."),
};
/** What one may have beside them. */
const retryAfter = headerOut("RetryAfter", "After how many seconds it is worth trying again.");
const challenge = headerOut("WwwAuthenticate", "How a key is asked for (RFC 6750).");
/** There when the server limits how much a caller asks (draft-ietf-httpapi-ratelimit-headers-10). */
const headersOfLimit = {
  ratelimit: headerOut("RateLimit", "What is left for the caller, and for how many seconds: `r` and `t`.").optional(),
  "ratelimit-policy": headerOut(
    "RateLimitPolicy",
    "What there is in all, in how many seconds: `q` and `w`.",
  ).optional(),
};

function headerOut(id: string, description: string): z.ZodString {
  return z.string().meta({ header: { id, description } });
}

/** `routes`: in the order in which the document has them. */
export function describeApi(routes: readonly Route[]): ApiDocument {
  return createDocument(
    {
      openapi: "3.1.1",
      info: { title: "Throughline", version: productVersion, description, license: { name: "MIT", identifier: "MIT" } },
      servers: [{ url: "/", description: "Where this document comes from." }],
      tags: [...tags],
      paths: pathsOf(routes),
      components: {
        securitySchemes: {
          key: {
            type: "http",
            scheme: "bearer",
            description: "An API key, where the server was started with a file of them.",
          },
        },
      },
    },
    {
      override: ({ jsonSchema, io }) => {
        // A field more in an answer is no change that breaks a caller.
        if (io === "output" && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        // What fits into a number of JSON goes without saying.
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      },
    },
  );
}

function pathsOf(routes: readonly Route[]): ZodOpenApiPathsObject {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    const path = route.isUnversioned ? route.path : `/v1${route.path}`;
    paths[path] = { ...paths[path], [route.method]: toOperation(route) };
  }
  return paths;
}

function toOperation(route: Route): ZodOpenApiOperationObject {
  const { operationId, tag, summary, query, headers, body, path, pathId = taskId } = route;
  return {
    operationId,
    tags: [tag],
    summary,
    ...(route.description && { description: route.description }),
    security: securityOf(route.scope),
    requestParams: {
      ...(path.includes("{id}") && { path: z.object({ id: pathId }) }),
      ...(query instanceof z.ZodObject && { query }),
      header: headers.extend(headersIn.shape),
    },
    ...(takesBody(route) && { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: { ...answersOf(route), ...problemsOf(route) },
  };
}

/** A key where keys are asked for, with that scope. */
function securityOf(scope: Scope | null): Record<string, string[]>[] {
  return scope === null ? [] : [{ key: [scope] }, {}];
}

function answersOf(route: Route): ZodOpenApiOperationObject["responses"] {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, answer]) => [status, toResponse(answer, headersOf(route))]),
  );
}

function toResponse({ description, schema, contentType = "application/json", headers }: Answer, usual: z.ZodRawShape) {
  return {
    description,
    headers: z.object({ ...usual, ...headers?.shape }),
    ...(schema && { content: { [contentType]: { schema } } }),
  };
}

/** Those of one status together. */
function problemsOf(route: Route): ZodOpenApiOperationObject["responses"] {
  const codes = [...usualProblems(route), ...route.problems];
  const byStatus = Map.groupBy(codes, (code) => meanings[code].httpStatus);
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [status, toProblemResponse(status, those, headersOf(route))]),
  );
}

/** Of each answer of the route. */
function headersOf({ scope }: Route): z.ZodRawShape {
  return { ...headersOut, ...(scope !== null && headersOfLimit) };
}

function toProblemResponse(status: number, codes: readonly ErrorCode[], usual: z.ZodRawShape) {
  const own = {
    ...((status === 401 || status === 403) && { "www-authenticate": challenge }),
    ...((status === 429 || status === 503) && { "retry-after": retryAfter }),
  };
  return {
    description: codes.map((code) => `${meanings[code].title} (\`${code}\`).`).join(" "),
    headers: z.object({ ...usual, ...own }),
    content: { "application/problem+json": { schema: problem } },
  };
}

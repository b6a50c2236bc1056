/** Errors as `application/problem+json` (RFC 9457). No stack, and nothing of what a fault of ours says inside. */

import { z } from "zod";
import { type ErrorCode, meanings, retryAfterSeconds, type TaskError } from "../words/errors.ts";

/** RFC 6750, 3: how a key is asked for. */
const challenges: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'Bearer realm="throughline"',
  permission_denied: 'Bearer realm="throughline", error="insufficient_scope"',
};

export const problem = z
  .object({
    type: z.literal("about:blank"),
    title: z.string().meta({ description: "What the code means." }),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: "What was wrong with this request." }),
    code: z.enum(Object.keys(meanings)).meta({ description: "For programs to tell one from another." }),
    trace_id: z.string().meta({ description: "Of the trace in which it happened." }),
    errors: z
      .array(z.object({ pointer: z.string().meta({ description: "JSON pointer (RFC 6901)." }), detail: z.string() }))
      .optional()
      .meta({ description: "Each thing that does not fit in the body." }),
  })
  .meta({ id: "Problem", description: "Why a request was not done (RFC 9457)." });

export function toProblem(error: TaskError, traceId: string): Response {
  const headers = new Headers({ "content-type": "application/problem+json" });
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  const challenge = challenges[error.code];
  if (challenge !== undefined) headers.set("www-authenticate", challenge);
  // The rest of the upload is never read: without this the connection would wait for it.
  if (error.code === "payload_too_large") headers.set("connection", "close");
  return new Response(JSON.stringify(problemOf(error, traceId)), { status: meanings[error.code].httpStatus, headers });
}

export function problemOf(error: TaskError, traceId: string): z.input<typeof problem> {
  const { httpStatus, title } = meanings[error.code];
  return {
    type: "about:blank",
    title,
    status: httpStatus,
    detail: error.code === "internal" ? "the fault is logged under this trace_id" : error.message,
    code: error.code,
    trace_id: traceId,
    ...(error.problems.length > 0 && { errors: error.problems }),
  };
}

/** Errors as `application/problem+json` (RFC 9457). No stack, and nothing of what a fault of ours says inside. */

import { meanings, retryAfterSeconds, type TaskError } from "../errors.ts";

export function toProblem(error: TaskError, traceId: string): Response {
  const { httpStatus, title } = meanings[error.code];
  const headers = new Headers({ "content-type": "application/problem+json" });
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  // The rest of the upload is never read: without this the connection would wait for it.
  if (error.code === "payload_too_large") headers.set("connection", "close");
  const problem = {
    type: "about:blank",
    title,
    status: httpStatus,
    detail: error.code === "internal" ? "the fault is logged under this trace_id" : error.message,
    code: error.code,
    trace_id: traceId,
    ...(error.problems.length > 0 && { errors: error.problems }),
  };
  return new Response(JSON.stringify(problem), { status: httpStatus, headers });
}

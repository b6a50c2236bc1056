/** What callers of the HTTP API may send, and how it becomes an RPC request. */

import { z } from "zod";
import { type FieldProblem, TaskError } from "../errors.ts";
import type { CreateTaskRequestJson } from "../gen/tasks_pb.ts";
import { parseDuration } from "../settings.ts";
import { taskTypePattern } from "../task.ts";

export const maxBodyBytes = 256 * 1024;
export const maxBodyDepth = 64;

/** The longest that a request may be held for a task's end. */
const maxWaitMs = 60_000;

const duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

const createTaskBody = z
  .strictObject({
    type: z.string().regex(taskTypePattern, "expected 1 to 128 letters, digits or . _ : / -"),
    payload: z.unknown().optional(),
    delay: duration.optional(),
    run_at: z.iso.datetime({ offset: true }).optional(),
    timeout: duration.refine((ms) => ms > 0, "expected a duration above 0").optional(),
    max_attempts: z.int().min(1).max(100).optional(),
    metadata: z
      .record(z.string().max(128), z.string().max(1024))
      .refine((metadata) => Object.keys(metadata).length <= 32, "expected at most 32 entries")
      .optional(),
  })
  .refine((body) => body.delay === undefined || body.run_at === undefined, {
    path: ["run_at"],
    message: "expected either delay or run_at, not both",
  });

const idempotencyKey = z.string().min(1).max(255);

/** Throws `invalid_argument` with a pointer for everything that does not fit. */
export function toCreateTask(body: unknown, keyHeader: string | undefined): CreateTaskRequestJson {
  const task = parseBody(createTaskBody, body);
  if (keyHeader !== undefined && !idempotencyKey.safeParse(keyHeader).success) {
    throw new TaskError("invalid_argument", "the Idempotency-Key must have 1 to 255 characters");
  }
  return {
    type: task.type,
    // It came out of JSON.parse.
    payload: (task.payload ?? null) as NonNullable<CreateTaskRequestJson["payload"]>,
    ...(task.delay !== undefined && { delay: toSeconds(task.delay) }),
    ...(task.run_at !== undefined && { runAt: new Date(task.run_at).toISOString() }),
    ...(task.timeout !== undefined && { timeout: toSeconds(task.timeout) }),
    ...(task.max_attempts !== undefined && { maxAttempts: task.max_attempts }),
    ...(task.metadata && { metadata: task.metadata }),
    ...(keyHeader !== undefined && { idempotencyKey: keyHeader }),
  };
}

/** `?wait=20s` in milliseconds, 0 when it is absent; any other parameter is refused. */
export function parseWait(query: URLSearchParams): number {
  refuseQuery(query, "wait");
  const text = query.get("wait");
  if (text === null) return 0;
  const parsed = duration.safeParse(text);
  if (!parsed.success || parsed.data > maxWaitMs) {
    throw new TaskError("invalid_argument", `wait: "${text}": expected a duration of at most 60s`);
  }
  return parsed.data;
}

/** Refuses every query parameter but those named. */
export function refuseQuery(query: URLSearchParams, ...known: string[]): void {
  for (const name of query.keys())
    if (!known.includes(name)) {
      throw new TaskError("invalid_argument", `unknown query parameter "${name}"`);
    }
}

/** Milliseconds as protobuf JSON writes a Duration: `1.5s`. */
export function toSeconds(ms: number): string {
  return `${ms / 1000}s`;
}

/** Throws `invalid_argument` with a pointer for everything that does not fit. */
export function parseBody<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap(toProblems);
  const first = problems[0];
  const detail = first ? `${first.pointer || "the body"}: ${first.detail}` : "the body does not fit";
  throw new TaskError("invalid_argument", detail, { problems });
}

function toProblems(issue: z.core.$ZodIssue): FieldProblem[] {
  const pointer = toPointer(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => ({ pointer: `${pointer}${toPointer([name])}`, detail: "unknown field" }));
  }
  return [{ pointer, detail: issue.message }];
}

/** RFC 6901. */
function toPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replace(/~/g, "~0").replace(/\//g, "~1")}`).join("");
}

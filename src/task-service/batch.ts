/**
 * Many tasks in one call. Each is accepted or refused for itself, under a span of its own, from which its trace goes on;
 * so many at once as one commit of the store should have.
 */

import { type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { type BatchOutcome, createTasks } from "../api/batch.ts";
import type { TaskAnswer } from "../api/task.ts";
import type { Call, RpcHandler } from "../rpc/call.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { key } from "../telemetry/names.ts";
import { markFailed, recordException, startSpan } from "../telemetry/spans/tracing.ts";
import { meanings, serverFaults, type TaskError, toFailure, toTaskError } from "../words/errors.ts";
import { writeJson } from "../words/json-text.ts";
import { type CreateTask, parseCreateTask, parseRequest } from "./requests.ts";

const atOnce = 100;

/** Where a task of a batch is made. */
export type Place = Pick<Call, "correlationId"> & { context: Context; span: Span };

interface Accepted {
  task: TaskAnswer;
  isReplayed: boolean;
  /** Resolves when the broker has the task; null when it is not to be sent yet. */
  sent: Promise<unknown> | null;
}

export interface BatchDeps {
  tracer: Tracer;
  log: Logger;
  /** Commits the task, and begins to send it; resolves when it is committed. */
  accept(request: CreateTask, place: Place): Promise<Accepted>;
  /** Waits for the sends, not for long. */
  patiently(sends: Promise<unknown>): Promise<void>;
}

export function createBatchHandler({ tracer, log, accept, patiently }: BatchDeps): RpcHandler {
  const createOne = async (message: unknown, call: Call, sends: Promise<unknown>[]): Promise<BatchOutcome> => {
    const { span, context } = startSpan(tracer, "create task", call.context, { kind: SpanKind.INTERNAL });
    try {
      const place = { correlationId: call.correlationId, context, span };
      const { task, isReplayed, sent } = await accept(parseCreateTask(message), place);
      if (sent) sends.push(sent);
      return { task, replayed: isReplayed };
    } catch (thrown) {
      const error = toTaskError(thrown);
      const { rpcCode } = meanings[error.code];
      if (serverFaults.has(rpcCode)) markFailed(span, { type: error.code, message: error.message });
      else span.setAttribute(key.errorType, error.code);
      if (error.code === "internal") {
        const failure = toFailure(thrown);
        recordException(span, failure);
        log.in(context).error("a task of a batch was not created", { error: failure });
      }
      return { refusal: toRefusal(error) };
    } finally {
      span.end();
    }
  };

  return async (message, call) => {
    const { tasks } = parseRequest("CreateTasks", createTasks, message);
    const results: BatchOutcome[] = [];
    const sends: Promise<unknown>[] = [];
    for (let from = 0; from < tasks.length; from += atOnce) {
      const slice = tasks.slice(from, from + atOnce);
      results.push(...(await Promise.all(slice.map((task) => createOne(task, call, sends)))));
    }
    if (sends.length > 0) await patiently(Promise.all(sends));
    return { json: writeJson({ results }) };
  };
}

function toRefusal({ code, message, problems, retryAfterMs }: TaskError) {
  return {
    code: meanings[code].rpcCode,
    message,
    ...(problems.length > 0 && { problems }),
    ...(retryAfterMs !== undefined && { retry_after: `${retryAfterMs / 1000}s` }),
  };
}

/** Where a line of a handler's thread was written: in which attempt, and under which span. The async context knows. */

import { type Context, context as contextApi, createContextKey, trace } from "@opentelemetry/api";
import type { LogLevel } from "../../settings/parsers.ts";
import type { HandlerLogLine, LineTask } from "../threads/thread-messages.ts";
import type { Said } from "./handler-log.ts";

const taskKey = createContextKey("throughline.task");

/** What runs in the context that this gives is of that task, also after its attempt has ended. */
export function withTask(context: Context, { taskId, type, attempt, correlationId }: LineTask): Context {
  return context.setValue(taskKey, { taskId, type, attempt, correlationId } satisfies LineTask);
}

/** A line of `context`, under the span that is active now. */
export function lineIn(context: Context, level: LogLevel, { msg, fields }: Said): HandlerLogLine {
  const active = contextApi.active();
  const span = trace.getSpanContext(active) ?? trace.getSpanContext(context);
  return {
    level,
    msg,
    fields,
    // Set by `withTask` alone.
    task: (context.getValue(taskKey) ?? active.getValue(taskKey)) as LineTask | undefined,
    span: span && { traceId: span.traceId, spanId: span.spanId, traceFlags: span.traceFlags },
  };
}

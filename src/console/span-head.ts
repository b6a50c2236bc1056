/** What a search looks at in a span, wherever it stands. Pure. */

import type { ReceivedSpan } from "../otlp/span.ts";
import type { AttributeValue } from "../otlp/values.ts";
import { serviceNames } from "../telemetry/names.ts";
import { taskIdOf } from "./task-trace.ts";
import type { TraceFilter } from "./trace-filter.ts";

/** Times are milliseconds since the epoch, with a fraction. */
export interface SpanHead {
  /** Hex. */
  readonly traceId: string;
  readonly service: string;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly taskId: string | undefined;
  attribute(key: string): AttributeValue | undefined;
}

export function toHead(span: ReceivedSpan): SpanHead {
  const { traceId, service, name, startMs, endMs, status, attributes } = span;
  return {
    traceId,
    service,
    name,
    startMs,
    endMs,
    isError: status.code === "ERROR",
    taskId: taskIdOf(attributes),
    attribute: (key) => (Object.hasOwn(attributes, key) ? attributes[key] : undefined),
  };
}

const ownServices: ReadonlySet<string> = new Set(Object.values(serviceNames));

/** Whether the span is all that is asked for. The cheap questions come first. */
export function fits(span: SpanHead, filter: TraceFilter): boolean {
  const { service, operation, taskId, isError, minDurationMs, attribute, housekeeping, sinceMs, untilMs } = filter;
  return (
    (service === undefined || span.service === service) &&
    (sinceMs === undefined || span.startMs >= sinceMs) &&
    (untilMs === undefined || span.startMs <= untilMs) &&
    (minDurationMs === undefined || span.endMs - span.startMs >= minDurationMs) &&
    (isError === undefined || span.isError === isError) &&
    (operation === undefined || span.name === operation) &&
    (taskId === undefined || span.taskId === taskId) &&
    (housekeeping !== false || !isHousekeeping(span)) &&
    (attribute === undefined || isText(span.attribute(attribute.key), attribute.value))
  );
}

/** Throughline's own, of no task, as idle calls to the broker. */
function isHousekeeping(span: SpanHead): boolean {
  return ownServices.has(span.service) && !span.isError && span.taskId === undefined;
}

/** A number or a boolean as it is written. */
function isText(value: AttributeValue | undefined, text: string): boolean {
  return typeof value === "string" ? value === text : value !== undefined && JSON.stringify(value) === text;
}

/** What is known of a trace without reading it, from where its spans are at hand. Pure. */

import type { ReceivedSpan } from "./received-span.ts";
import { taskIdOf } from "./task-trace.ts";
import type { TraceFilter } from "./trace-filter.ts";
import type { TraceSummary } from "./trace-store.ts";

/** undefined: there is no span. */
export function summarize(spans: readonly ReceivedSpan[]): TraceSummary | undefined {
  const [root] = spans.toSorted((a, b) => a.startMs - b.startMs);
  if (!root) return undefined;
  const services = new Set(spans.map(({ service }) => service));
  const taskIds = new Set(spans.flatMap(({ attributes }) => taskIdOf(attributes) ?? []));
  return {
    traceId: root.traceId,
    startMs: root.startMs,
    endMs: spans.reduce((latest, { endMs }) => Math.max(latest, endMs), root.startMs),
    spans: spans.length,
    errors: spans.filter(({ status }) => status.code === "ERROR").length,
    service: root.service,
    name: root.name,
    services: [...services].sort(),
    taskIds: [...taskIds],
  };
}

/** The same conditions as the file's, on one span. */
export function fits(span: ReceivedSpan, filter: TraceFilter): boolean {
  const { service, operation, taskId, isError, minDurationMs, attribute, sinceMs } = filter;
  const value = attribute && span.attributes[attribute.key];
  return (
    (service === undefined || span.service === service) &&
    (operation === undefined || span.name === operation) &&
    (taskId === undefined || taskIdOf(span.attributes) === taskId) &&
    (isError === undefined || (span.status.code === "ERROR") === isError) &&
    (minDurationMs === undefined || span.endMs - span.startMs >= minDurationMs) &&
    (sinceMs === undefined || span.startMs >= sinceMs) &&
    (attribute === undefined || (value !== undefined && textOf(value) === attribute.value))
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

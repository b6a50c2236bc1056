/** What is known of a trace without showing it, from the heads of its spans. Pure. */

import type { SpanHead } from "./span-head.ts";
import type { TraceSummary } from "./trace-store.ts";

/** A batch of tasks is one trace. */
const maxNames = 100;

/** undefined: there is no span. */
export function summarize(spans: readonly SpanHead[]): TraceSummary | undefined {
  const [first] = spans;
  if (!first) return undefined;
  let root = { span: first, startMs: first.startMs };
  let endMs = first.endMs;
  const services = new Set<string>();
  const taskIds = new Set<string>();
  for (const span of spans) {
    const { startMs, taskId } = span;
    if (startMs < root.startMs) root = { span, startMs };
    endMs = Math.max(endMs, span.endMs);
    services.add(span.service);
    if (taskId !== undefined) taskIds.add(taskId);
  }
  return {
    traceId: first.traceId,
    startMs: root.startMs,
    endMs,
    spans: spans.length,
    errors: spans.filter(({ isError }) => isError).length,
    service: root.span.service,
    name: root.span.name,
    services: [...services].sort().slice(0, maxNames),
    taskIds: [...taskIds].slice(0, maxNames),
  };
}

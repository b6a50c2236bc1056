/**
 * The span `run …` of an attempt whose thread was ended: the thread can no longer finish it, so the worker does, under
 * the id that it had chosen. Spans that the handler had finished keep their parent.
 */

import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { fromCarrier, spanContextOf } from "../../telemetry/context/propagation.ts";
import { key, ownKey, scopeName } from "../../telemetry/names.ts";
import type { PlainSpan } from "../../telemetry/spans/plain-span.ts";
import { preciseNowMs, toHrTime } from "../../telemetry/spans/span-start.ts";
import { productVersion } from "../../version.ts";
import type { Failure } from "../../words/errors.ts";
import type { Run } from "./thread-messages.ts";

export interface RunSpanEnd {
  slot: { id: number; name: string };
  startMs: number;
  failure: Failure;
}

/** The span, or nothing when the task came without a trace. */
export function closeRunSpan(run: Run, { slot, startMs, failure }: RunSpanEnd): PlainSpan[] {
  const parent = spanContextOf(fromCarrier(run.carrier));
  if (!parent) return [];
  const { traceId, traceFlags } = parent;
  const traceState = parent.traceState?.serialize();
  const trace = { traceId, traceFlags, ...(traceState && { traceState }) };
  const endMs = preciseNowMs();
  return [
    {
      name: `run ${run.type}`,
      kind: SpanKind.INTERNAL,
      context: { ...trace, spanId: run.spanId },
      parent: { ...trace, spanId: parent.spanId, isRemote: true },
      startTime: toHrTime(startMs),
      endTime: toHrTime(endMs),
      duration: toHrTime(Math.max(0, endMs - startMs)),
      status: { code: SpanStatusCode.ERROR, message: failure.message },
      attributes: {
        [ownKey.taskId]: run.taskId,
        [ownKey.taskType]: run.type,
        [ownKey.attempt]: run.attempt,
        [key.threadId]: slot.id,
        [key.threadName]: slot.name,
        [key.errorType]: failure.type,
      },
      links: [],
      events: [],
      scope: { name: scopeName, version: productVersion },
      dropped: [0, 0, 0],
    },
  ];
}

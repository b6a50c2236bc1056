/**
 * Tracing of a test's process: set up once, however many tasks are tested at the same time; each sees the spans of its
 * own trace.
 */

import { type Config, readConfig } from "../config.ts";
import type { PlainSpan } from "../telemetry/spans/plain-span.ts";
import { CryptoIds } from "../telemetry/spans/span-start.ts";
import { startThreadTracing, type ThreadTracing } from "../telemetry/spans/thread-tracing.ts";

export interface TestTrace {
  /** What the process span of the attempt would be. */
  carrier: { traceparent: string };
  newSpanId(): string;
  /** Spans of this trace go to `deliver` from now on, until `end`. */
  start(deliver: (span: PlainSpan) => void): ThreadTracing;
  end(): void;
}

const listeners = new Map<string, (span: PlainSpan) => void>();
const ids = new CryptoIds();
let tracing: ThreadTracing | undefined;

/** The defaults of the settings: nothing of a test's process changes what a handler sees. */
export const testConfig: Config = readConfig({ handlers: "" }, {}).config;

export function openTestTrace(): TestTrace {
  const traceId = ids.generateTraceId();
  return {
    carrier: { traceparent: `00-${traceId}-${ids.generateSpanId()}-01` },
    newSpanId: () => ids.generateSpanId(),
    start: (deliver) => {
      listeners.set(traceId, deliver);
      tracing ??= startTracing();
      return tracing;
    },
    end: () => {
      listeners.delete(traceId);
    },
  };
}

function startTracing(): ThreadTracing {
  return startThreadTracing(testConfig, (span) => listeners.get(span.context.traceId)?.(span));
}

/** Spans as they are made, kept in the test's memory; with the propagators that every role sets for its process. */

import type { Tracer } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { readConfig } from "../../src/config.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";

export interface TestTracing {
  tracer: Tracer;
  /** All that have ended, in that order. */
  spans(): ReadableSpan[];
}

export function startTestTracing(): TestTracing {
  setPropagators();
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracer: provider.getTracer("test"), spans: () => exporter.getFinishedSpans() };
}

/** As a role does it: they are one for the whole process. */
export function setPropagators(): void {
  startTelemetry("test", readConfig({ handlers: "" }, {}).config, () => {});
}

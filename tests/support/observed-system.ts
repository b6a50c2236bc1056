/** A whole system whose telemetry is received: every span, log record and metric that it sends by OTLP. */

import type { ReceivedLog } from "../../src/otlp/log.ts";
import type { ReceivedMetric } from "../../src/otlp/metric.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { startReceiver } from "./otlp-receiver.ts";
import { startTestSystem, type TestFlags, type TestSystem } from "./system.ts";

export interface Received {
  spans: ReceivedSpan[];
  logs: ReceivedLog[];
  metrics: ReceivedMetric[];
}

export interface ObservedSystem extends TestSystem {
  /** What has arrived so far. */
  received: Received;
  /** Drains: what the system has to tell has arrived then. */
  stop(): Promise<void>;
}

export async function startObservedSystem(
  flags: TestFlags = {},
  env: Record<string, string> = {},
): Promise<ObservedSystem> {
  await using stack = new AsyncDisposableStack();
  const received: Received = { spans: [], logs: [], metrics: [] };
  const receiver = await startReceiver(
    { host: "127.0.0.1", port: 0 },
    {
      spans: (spans) => received.spans.push(...spans),
      logs: (logs) => received.logs.push(...logs),
      metrics: (metrics) => received.metrics.push(...metrics),
    },
  );
  stack.defer(() => receiver.stop());
  const system = stack.use(await startTestSystem(flags, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...env }));
  const owned = stack.move();
  return {
    ...system,
    received,
    stop: () => system.system.drain(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The received spans of one trace. */
export function spansIn({ spans }: Received, traceId: string): ReceivedSpan[] {
  return spans.filter((span) => span.traceId === traceId);
}

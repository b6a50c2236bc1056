/** The telemetry of the demo: received over OTLP, passed on to the user's collector if there is one, and drawn. */

import { createReceiver, toSink } from "../console/receiver.ts";
import { type HttpHandler, type Listener, listen } from "../http/listen.ts";
import { systemClock } from "../limits/clock.ts";
import type { ReceivedSpan } from "../otlp/span.ts";
import type { OtelSettings } from "../settings/otel-settings.ts";
import { renderWaterfall } from "../terminal/waterfall.ts";
import type { TaskAnswer } from "./api-answers.ts";
import type { DemoOutcome } from "./demo-tasks.ts";

/** A demo makes some two hundred; further spans are dropped. */
const maxSpans = 5000;

/** Spans as they arrive, a bounded number. */
interface DemoSpans {
  add(spans: readonly ReceivedSpan[]): void;
  of(traceId: string): ReceivedSpan[];
}

function createDemoSpans(): DemoSpans {
  const shelf: ReceivedSpan[] = [];
  return {
    add: (spans) => void shelf.push(...spans.slice(0, maxSpans - shelf.length)),
    of: (traceId) => shelf.filter((span) => span.traceId === traceId),
  };
}

/** Listens on loopback; `stop` the receiver. */
export async function receiveSpans(otel: OtelSettings): Promise<{ spans: DemoSpans; receiver: Listener }> {
  const spans = createDemoSpans();
  const sink = toSink({ spans: (received) => spans.add(received) });
  const receiver = await listen({ host: "127.0.0.1", port: 0 }, teeOtlp(otel, createReceiver(sink)));
  return { spans, receiver };
}

/** Of a request that is passed on. */
const limitMs = 5000;

/** Hands each OTLP request to `receiver`, and passes it on to where the user's settings send it. */
function teeOtlp(otel: OtelSettings, receiver: HttpHandler): HttpHandler {
  const targets: Record<string, string | undefined> = {
    "/v1/traces": otel.tracesUrl,
    "/v1/metrics": otel.metricsUrl,
    "/v1/logs": otel.logsUrl,
  };
  return async (request, peer) => {
    const target = targets[new URL(request.url).pathname];
    if (target !== undefined) {
      const { method, headers } = request;
      const body = await request.clone().arrayBuffer();
      // The user's collector may be away, which must not disturb the demo.
      fetch(target, { method, headers, body, signal: AbortSignal.timeout(limitMs) }).catch(() => {});
    }
    return receiver(request, peer);
  };
}

/** The spans of a task that has ended leave within two exports. */
const spansLimitMs = 10_000;

/** The last success (the first ones warm the threads up) and the dead task, each once all its spans have arrived. */
export async function drawTraces(
  outcomes: readonly DemoOutcome[],
  spans: DemoSpans,
  show: { color: boolean; width: number },
): Promise<string[][]> {
  const drawn: string[][] = [];
  const success = outcomes.findLast(({ task }) => task.status === "succeeded")?.task;
  const dead = outcomes.find(({ task }) => task.status === "dead")?.task;
  // The last span of a success is its outcome, the second update; of a death, the dead-letter processor's.
  if (success) drawn.push(await draw(success, "UPDATE tasks", 2));
  if (dead) drawn.push(await draw(dead, "process task-events-dlq", 1));
  return drawn;

  async function draw(task: TaskAnswer, lastName: string, lastCount: number): Promise<string[]> {
    const limit = AbortSignal.timeout(spansLimitMs);
    while (!limit.aborted && !isWhole(spans.of(task.trace_id), lastName, lastCount)) await systemClock.sleep(50, limit);
    const title = `${task.type} ${task.status}: task ${task.id}`;
    return renderWaterfall(spans.of(task.trace_id), { ...show, title });
  }
}

/** Whether the last span of a trace is there, and no parent is missing. */
function isWhole(spans: readonly ReceivedSpan[], lastName: string, lastCount: number): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const hasParents = spans.every(({ parentSpanId }) => parentSpanId === undefined || ids.has(parentSpanId));
  return hasParents && spans.filter(({ name }) => name === lastName).length >= lastCount;
}

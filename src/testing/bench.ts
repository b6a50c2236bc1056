/**
 * A handler's place in one test: its runner, its attempts one after the other, and what was seen of them. Tracing of the
 * test's process is set up once, however many tasks are tested at the same time; each sees the spans of its own trace.
 */

import { type Config, readConfig } from "../config.ts";
import { fetchPlaces } from "../http/fetch.ts";
import { createRedaction } from "../telemetry/logs/redact.ts";
import { ownKey } from "../telemetry/names.ts";
import type { PlainSpan } from "../telemetry/spans/plain-span.ts";
import { CryptoIds } from "../telemetry/spans/span-start.ts";
import { startThreadTracing, type ThreadTracing } from "../telemetry/spans/thread-tracing.ts";
import type { Outcome } from "../words/retry.ts";
import { outcomeOfEnd, signalled } from "../worker/attempts/attempt-outcome.ts";
import type { LoadedHandler } from "../worker/handlers/loaded-handler.ts";
import { createRunner, createRunScopes } from "../worker/handlers/run.ts";
import { createHandlerCalls } from "../worker/http/calls.ts";
import type { FromRunner, HandlerLogLine, Run } from "../worker/threads/thread-messages.ts";
import { type RunListener, ThreadRuns } from "../worker/threads/thread-runs.ts";
import type { TestedTask, TestOptions } from "./tested-task.ts";

interface BenchOptions {
  /** The task, the same for every attempt. */
  run: Omit<Run, "number" | "attempt" | "carrier" | "spanId">;
  /** JSON text. */
  payload: string;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  fetch: TestOptions["fetch"];
}

interface Bench {
  runAttempt(number: number): Promise<Outcome>;
  seen(): Pick<TestedTask, "logs" | "progress"> & { spans: readonly PlainSpan[] };
  close(): void;
}

export function createBench(
  loaded: LoadedHandler,
  { run, payload, timeoutMs, signal, fetch: answer }: BenchOptions,
): Bench {
  const trace = openTestTrace();
  const spans: PlainSpan[] = [];
  const lines: HandlerLogLine[] = [];
  const runs = new ThreadRuns({
    // After this turn: the run is in the table then, however it ends.
    post: (message) => queueMicrotask(() => take(message)),
    // In production its thread is ended now.
    onOverdue: ({ request }) => runs.end(request.run.number, (signalledFor) => signalledFor ?? signalled("timed_out")),
  });
  const tell = (message: FromRunner): void => {
    switch (message.kind) {
      case "ended":
        spans.push(...message.spans);
        runs.end(message.number, (signalledFor) => outcomeOfEnd(message.end, signalledFor));
        break;
      case "span":
        spans.push(message.span);
        break;
      case "log":
        lines.push(message.line);
        break;
      case "pong":
    }
  };

  const take = createRunner({
    find: () => loaded,
    scopes: createRunScopes(),
    startTracing: (deliver) => trace.start(deliver),
    redaction: createRedaction(testConfig.redactKeys),
    thread: { id: 1, name: "test" },
    calls: createHandlerCalls({
      places: fetchPlaces(),
      fetch: async (input, init) => (answer ? answer(new Request(input, init)) : fetch(input, init)),
    }),
    maxResultBytes: testConfig.maxResult,
    tell,
  });

  const runAttempt = (number: number): Promise<Outcome> =>
    new Promise((resolve) => {
      const cancel = (): void => runs.cancel(number, "canceled");
      const onEnded: RunListener["onEnded"] = (_number, { outcome }) => {
        signal?.removeEventListener("abort", cancel);
        resolve(outcome);
      };
      runs.start({
        run: { ...run, number, attempt: number, carrier: trace.carrier, spanId: trace.newSpanId() },
        payload,
        timeoutMs,
        isAlone: false,
        listener: { onEnded, onProgress: () => {} },
      });
      if (signal?.aborted) cancel();
      signal?.addEventListener("abort", cancel);
    });

  return {
    runAttempt,
    seen: () => ({
      logs: lines.map(({ level, msg, fields }) => ({ level, msg, fields: { ...fields } })),
      progress: spans.flatMap(({ events }) => events.flatMap(({ attributes }) => shareOf(attributes))),
      spans,
    }),
    close: () => {
      runs.close();
      trace.end();
    },
  };
}

function shareOf(attributes: PlainSpan["attributes"] = {}): number[] {
  const share = attributes[ownKey.progress];
  return typeof share === "number" ? [share] : [];
}

interface TestTrace {
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

function openTestTrace(): TestTrace {
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

/** A handler's place in one test: its runner, its attempts one after the other, and what was seen of them. */

import { fetchPlaces } from "../http/fetch-places.ts";
import { createRedaction } from "../telemetry/logs/redact.ts";
import { ownKey } from "../telemetry/names.ts";
import type { PlainSpan } from "../telemetry/spans/plain-span.ts";
import type { Outcome } from "../words/retry.ts";
import { outcomeOfEnd, signalled } from "../worker/attempts/attempt-outcome.ts";
import type { LoadedHandler } from "../worker/handlers/loaded-handler.ts";
import { createRunner } from "../worker/handlers/run.ts";
import { createRunScopes } from "../worker/handlers/run-scopes.ts";
import { createHandlerCalls } from "../worker/http/calls.ts";
import { type Attempt, startAttempt } from "../worker/threads/attempt.ts";
import type { CancelReason, FromRunner, HandlerLogLine, Run } from "../worker/threads/thread-messages.ts";
import { toSpanTree } from "./span-tree.ts";
import { openTestTrace, testConfig } from "./test-tracing.ts";
import type { TestedTask, TestOptions } from "./tested-task.ts";

export interface BenchOptions {
  /** The task, the same for every attempt. */
  run: Omit<Run, "number" | "attempt" | "carrier" | "spanId">;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  fetch: TestOptions["fetch"];
}

export interface Bench {
  runAttempt(number: number): Promise<Outcome>;
  seen(): Pick<TestedTask, "logs" | "progress" | "spans">;
  close(): void;
}

export function createBench(loaded: LoadedHandler, { run, timeoutMs, signal, fetch: answer }: BenchOptions): Bench {
  const trace = openTestTrace();
  const spans: PlainSpan[] = [];
  const lines: HandlerLogLine[] = [];
  let current: Attempt | undefined;

  const tell = (message: FromRunner): void => {
    switch (message.kind) {
      case "ended":
        spans.push(...message.spans);
        // One that was given up does not end the next.
        if (current?.run.number === message.number) current.settle(outcomeOfEnd(message.end, current.signalledFor()));
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
      const canceling = new AbortController();
      const cancel = (): void => canceling.abort("canceled" satisfies CancelReason);
      const attempt: Attempt = startAttempt(
        number,
        {
          run: { ...run, attempt: number, carrier: trace.carrier, spanId: trace.newSpanId() },
          timeoutMs,
          isAlone: false,
          signal: canceling.signal,
        },
        {
          // After this turn: an attempt may end before it has begun to be the current one.
          post: (message) => queueMicrotask(() => take(message)),
          onSignalled: () => {},
          // In production its thread is ended now.
          onOverdue: () => attempt.settle(attempt.signalledFor() ?? signalled("timed_out")),
          onSettled: ({ outcome }) => {
            signal?.removeEventListener("abort", cancel);
            resolve(outcome);
          },
        },
      );
      current = attempt;
      if (signal?.aborted) cancel();
      signal?.addEventListener("abort", cancel);
    });

  return {
    runAttempt,
    seen: () => ({
      logs: lines.map(({ level, msg, fields }) => ({ level, msg, fields: { ...fields } })),
      progress: spans.flatMap(({ events }) => events.flatMap(({ attributes }) => shareOf(attributes))),
      spans: toSpanTree(spans),
    }),
    close: trace.end,
  };
}

function shareOf(attributes: PlainSpan["attributes"] = {}): number[] {
  const share = attributes[ownKey.progress];
  return typeof share === "number" ? [share] : [];
}

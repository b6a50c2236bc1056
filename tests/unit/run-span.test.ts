import { expect, test } from "bun:test";
import { closeRunSpan } from "../../src/worker/threads/run-span.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const run = {
  number: 1,
  taskId: "t",
  type: "spin",

  attempt: 2,
  correlationId: "c",
  metadata: {},
  spanId: "b7ad6b7169203331",
};
const end = { slot: { id: 3, name: "thread-3" }, startMs: 1000, failure: { type: "timed_out", message: "too long" } };

test("the span of a run whose thread was ended is a child of the attempt, with all that its context says", () => {
  const carrier = { traceparent: `00-${traceId}-${spanId}-03`, tracestate: "vendor=1" };
  const [span, ...others] = closeRunSpan({ ...run, carrier }, end);
  expect(others).toEqual([]);
  const context = { traceId, traceFlags: 3, traceState: "vendor=1" };
  expect(span).toMatchObject({
    name: "run spin",
    context: { ...context, spanId: run.spanId },
    parent: { ...context, spanId, isRemote: true },
    attributes: { task_id: "t", task_type: "spin", attempt: 2, "thread.id": 3, "error.type": "timed_out" },
  });
});

test("a run whose attempt is not known has none", () => {
  expect(closeRunSpan({ ...run, carrier: {} }, end)).toEqual([]);
});

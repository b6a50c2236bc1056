import { describe, expect, test } from "bun:test";
import { linkedTraceIds, stitchTaskTrace } from "../../src/console/task-trace.ts";
import { spansOfView, toTaskTraceView } from "../../src/console/task-trace-view.ts";
import type { ReceivedLog } from "../../src/otlp/log.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { type Placed, span, traceId } from "../support/spans.ts";

const taskId = "01a1fdf4-cd76-7699-a1ab-314869020050";
const otherTraceId = "b".repeat(32);
const ofTask = { task_id: taskId };
const ofOther = { task_id: "another" };
const startedMs = 1_700_000_000_000;

function delivery(spanId: string, at: number, ms: number, waitMs: number, more: Partial<Placed> = {}): ReceivedSpan {
  const attributes = {
    ...ofTask,
    "messaging.message.id": "m",
    "messaging.destination.name": "task-events",
    "throughline.queue_wait_ms": waitMs,
  };
  return span(spanId, "worker", "process task-events", { at, ms, kind: "CONSUMER", attributes, ...more });
}

function log(message: string, at: number, more: Partial<ReceivedLog>): ReceivedLog {
  return {
    service: "worker",
    resource: {},
    atMs: startedMs + at,
    body: message,
    eventName: "",
    severityNumber: 9,
    severityText: "INFO",
    flags: 1,
    traceId,
    spanId: undefined,
    attributes: {},
    ...more,
  };
}

/** `start+duration service name`, in the order of the timeline. */
function drawn(spans: readonly ReceivedSpan[], logs: readonly ReceivedLog[] = []): string[] {
  const view = toTaskTraceView(stitchTaskTrace(taskId, spans, logs));
  return view.rows.map((row) => {
    const place = `${"  ".repeat(row.depth)}${row.offset_ms}`;
    return row.kind === "log"
      ? `${place} log ${row.message}`
      : `${place}+${row.duration_ms} ${row.service} ${row.name}`;
  });
}

describe("the traces of a task", () => {
  const root = span("r", "api-gateway", "POST /v1/tasks", { at: 0, ms: 10 });
  const made = span("c", "task-service", "create task", { at: 2, ms: 5, parentSpanId: "r", attributes: ofTask });

  const cases: [what: string, spans: ReceivedSpan[], rows: string[]][] = [
    [
      "one, with what is above its spans",
      [made, root],
      ["0+10 api-gateway POST /v1/tasks", "  2+5 task-service create task"],
    ],
    ["a span that came twice counts once", [made, made], ["0+5 task-service create task"]],
    ["a wait that no clock can tell is none", [delivery("w", 0, 5, 1e300)], ["0+5 worker process task-events"]],
    [
      "tasks of the same batch are left out, with all that is below them",
      [
        root,
        made,
        span("o", "task-service", "create task", { at: 3, ms: 5, parentSpanId: "r", attributes: ofOther }),
        span("p", "worker", "INSERT tasks", { at: 4, ms: 1, parentSpanId: "o" }),
      ],
      ["0+10 api-gateway POST /v1/tasks", "  2+5 task-service create task"],
    ],
    [
      "a task that another one's handler handed in begins there",
      [
        span("a", "worker", "run parent", { at: 0, ms: 90, attributes: ofOther }),
        span("b", "worker", "POST", { at: 1, ms: 8, parentSpanId: "a" }),
        span("d", "worker", "GET", { at: 20, ms: 8, parentSpanId: "a" }),
        span("c", "task-service", "create task", { at: 2, ms: 5, parentSpanId: "b", attributes: ofTask }),
      ],
      ["0+90 worker run parent", "  1+8 worker POST", "    2+5 task-service create task"],
    ],
    [
      "parents in a circle are no endless search",
      [
        span("x", "s", "x", { at: 0, ms: 1, parentSpanId: "y" }),
        span("y", "s", "y", { at: 1, ms: 1, parentSpanId: "x" }),
      ],
      ["0+1 s x", "  1+1 s y"],
    ],
    [
      "a wait in the queue is a bar of its own, in front of its delivery",
      [root, delivery("p1", 30, 20, 25, { parentSpanId: "r" })],
      ["0+10 api-gateway POST /v1/tasks", "  5+25 task-events wait", "  30+20 worker process task-events"],
    ],
    [
      "a message that comes again has waited since the attempt before",
      [delivery("p1", 10, 20, 10), delivery("p2", 100, 20, 100)],
      [
        "0+10 task-events wait",
        "10+20 worker process task-events",
        "30+70 task-events wait",
        "100+20 worker process task-events",
      ],
    ],
    [
      "a redrive's trace follows on the same axis",
      [
        delivery("p1", 10, 20, 0),
        span("v", "dlq-processor", "redrive tasks", { at: 500, ms: 2, traceId: otherTraceId, attributes: ofTask }),
        delivery("p2", 520, 20, 0, { traceId: otherTraceId, parentSpanId: "v" }),
      ],
      ["0+20 worker process task-events", "490+2 dlq-processor redrive tasks", "  510+20 worker process task-events"],
    ],
  ];

  test.each(cases)("%s", (_, spans, rows) => {
    expect(drawn(spans)).toEqual(rows);
    expect(drawn([...spans].reverse())).toEqual(rows);
  });

  test("log lines stand behind their span; those of other tasks nowhere", () => {
    const lines = [
      log("late", 8, { spanId: "c" }),
      log("early", 3, { spanId: "c" }),
      log("of no span", 9, { traceId: undefined, attributes: ofTask }),
      log("of another task", 4, { spanId: "c", attributes: ofOther }),
      log("of another span", 5, { spanId: "elsewhere" }),
    ];
    expect(drawn([root, made], lines)).toEqual([
      "0+10 api-gateway POST /v1/tasks",
      "  2+5 task-service create task",
      "    3 log early",
      "    8 log late",
      "9 log of no span",
    ]);
  });

  test("name those that they follow by a link, and only the task's own links", () => {
    const link = (id: string) => ({ traceId: id, spanId: "1", attributes: {} });
    const spans = [
      delivery("p1", 0, 1, 0, { links: [link(otherTraceId), link(traceId), link("")] }),
      span("o", "s", "another's", { at: 0, ms: 1, attributes: ofOther, links: [link("c".repeat(32))] }),
    ];
    expect(linkedTraceIds(taskId, spans)).toEqual([otherTraceId]);
  });

  test("are the same when read again from what the API shows", () => {
    const failed = { code: "ERROR", message: "no" } as const;
    const events = [{ name: "exception", atMs: startedMs + 12.5, attributes: { "exception.type": "Error" } }];
    const links = [{ traceId: otherTraceId, spanId: "1", attributes: { why: "retry" } }];
    const spans = [root, delivery("p1", 12.345, 20, 0, { parentSpanId: "r", status: failed, events, links })];
    const view = toTaskTraceView(stitchTaskTrace(taskId, spans, []));
    const shown = JSON.parse(JSON.stringify(view));
    const again = toTaskTraceView(stitchTaskTrace(taskId, spansOfView(shown), []));
    expect(again).toEqual({ ...view, rows: view.rows });
    expect(view).toMatchObject({
      started_at: "2023-11-14T22:13:20.000000Z",
      duration_ms: 32.345,
      trace_ids: [traceId],
    });
  });
});

/** Which hop `throughline verify` blames, how it reads clocks, and what it takes for dropped. */

import { describe, expect, test } from "bun:test";
import { droppedIn } from "../../src/cli/verify/evidence.ts";
import {
  findPlaces,
  hopToBlame,
  judgeHops,
  type ProbeFacts,
  readClocks,
  type SeenTimes,
} from "../../src/cli/verify/hops.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { span } from "../support/spans.ts";

const [own, second, third] = ["a".repeat(32), "b".repeat(32), "c".repeat(32)];
const origin = span("0", "any", "any", { at: 0, ms: 0 }).startMs;

function facts(more: Partial<ProbeFacts> = {}): ProbeFacts {
  return {
    traceId: own,
    submittedAtMs: origin - 1,
    gatewayTraceId: own,
    taskTraceId: own,
    attemptTraceIds: [own],
    isToDie: false,
    ...more,
  };
}

type Change = Partial<ReceivedSpan>;

const link = (traceId: string) => ({ traceId, spanId: "1".repeat(16), attributes: {} });

/** The ends of the hops of a probe that is well; changed, or left out. */
function trail(changes: Record<string, Change | "away"> = {}): ReceivedSpan[] {
  const all: Record<string, ReceivedSpan> = {
    gateway: span("1", "api-gateway", "POST /v1/tasks", {
      at: 0,
      ms: 20,
      kind: "SERVER",
      attributes: { "http.route": "/v1/tasks", "http.request.method": "POST" },
    }),
    service: span("2", "task-service", "tasks.TaskService/CreateTask", {
      at: 2,
      ms: 15,
      kind: "SERVER",
      attributes: { "rpc.method": "tasks.TaskService/CreateTask" },
    }),
    sent: span("3", "task-service", "send task-events", { at: 10, ms: 5, kind: "PRODUCER" }),
    received: span("4", "worker", "process task-events", { at: 16, ms: 20, kind: "CONSUMER" }),
    ran: span("5", "worker", "run echo", { at: 20, ms: 1 }),
  };
  return Object.entries(all).flatMap(([name, each]) => {
    const change = changes[name];
    return change === "away" ? [] : [{ ...each, traceId: own, ...change }];
  });
}

const signs = { continued: "=", linked: "~", lost: "!", unseen: "?" };

/** As one line: each hop's fate by its sign, and who is blamed. */
function judged(spans: readonly ReceivedSpan[], more: Partial<ProbeFacts> = {}): string {
  const hops = judgeHops(facts(more), spans);
  return `${hops.map(({ context }) => signs[context]).join("")} ${hopToBlame(hops)?.hop ?? "nobody"}`;
}

describe("the hop to blame", () => {
  const from = (traceId: string): Change => ({ traceId });
  const cases: [what: string, blamed: string, spans: ReceivedSpan[], more?: Partial<ProbeFacts>][] = [
    ["nobody, when all is one trace", "==== nobody", trail()],
    [
      "nobody, when attempts are linked",
      "==~= nobody",
      trail({ received: { traceId: second, links: [link(own)] }, ran: from(second) }),
    ],
    [
      "nobody, when the gateway trusts no caller but links",
      "~=== nobody",
      trail({
        gateway: { traceId: second, links: [link(own)] },
        service: from(second),
        sent: from(second),
        received: from(second),
        ran: from(second),
      }),
      { gatewayTraceId: second, taskTraceId: second },
    ],
    [
      "what stands before the gateway",
      "!=== http",
      trail({
        gateway: from(second),
        service: from(second),
        sent: from(second),
        received: from(second),
        ran: from(second),
      }),
      { gatewayTraceId: second, taskTraceId: second },
    ],
    [
      "the call",
      "=!== rpc",
      trail({ service: from(second), sent: from(second), received: from(second), ran: from(second) }),
      { taskTraceId: second },
    ],
    [
      "the call, of which only the task's own trace tells",
      "=!?= rpc",
      trail({ service: "away", sent: "away", received: "away", ran: from(second) }),
      { taskTraceId: second, attemptTraceIds: [second] },
    ],
    ["the queue", "==!= queue", trail({ received: from(second), ran: from(second) }), { attemptTraceIds: [second] }],
    [
      "the queue, linked to some other trace",
      "==!= queue",
      trail({ received: { traceId: second, links: [link(third)] }, ran: from(second) }),
    ],
    ["the thread", "===! thread", trail({ ran: from(second) })],
    [
      "the first of two",
      "=!=! rpc",
      trail({ service: from(second), sent: from(second), received: from(second), ran: from(third) }),
    ],
    ["a loss before what is not known", "==!? queue", trail({ received: from(second), ran: "away" })],
    ["a worker of whom nothing arrived", "==?= queue", trail({ received: "away" })],
    ["the first of whom nothing arrived, when none did", "???? http", []],
  ];

  test.each(cases.map(([what, blamed, spans, more = {}]) => [what, blamed, spans, more] as const))(
    "%s: %s",
    (_, blamed, spans, more) => {
      expect(judged(spans, more)).toBe(blamed);
    },
  );

  test("is said with what was seen", () => {
    const [, rpc, queue] = judgeHops(facts(), trail({ service: { traceId: second }, received: "away" }));
    expect(rpc).toEqual({
      hop: "rpc",
      from: "api-gateway",
      to: "task-service",
      context: "lost",
      tookMs: 2,
      detail: `it was sent in trace ${own}, and received in ${second}`,
    });
    expect(queue).toMatchObject({ context: "unseen", tookMs: null });
    expect(queue?.detail).toBe("worker worked in the right trace, but no span of it arrived");
  });

  test("may be one of the second life", () => {
    const dead = { "throughline.dead.reason": "fatal" };
    const life = (traceId: string): ReceivedSpan[] => [
      span("b", "worker", "send task-events-dlq", { at: 30, ms: 1, kind: "PRODUCER", attributes: dead, traceId: own }),
      span("c", "dlq-processor", "process task-events-dlq", {
        at: 40,
        ms: 1,
        kind: "CONSUMER",
        attributes: dead,
        traceId: own,
      }),
      span("d", "dlq-processor", "redrive tasks", { at: 50, ms: 9, traceId: second, links: [link(own)] }),
      span("e", "dlq-processor", "send task-events", { at: 55, ms: 1, kind: "PRODUCER", traceId: second }),
      span("f", "worker", "process task-events", { at: 60, ms: 5, kind: "CONSUMER", traceId }),
      span("9", "worker", "run fail", { at: 62, ms: 1, traceId }),
    ];
    expect(judged([...trail(), ...life(second)], { isToDie: true })).toBe("=====~== nobody");
    expect(judged([...trail(), ...life(third)], { isToDie: true })).toBe("=====~!= queue_again");
    expect(judged(trail(), { isToDie: true })).toBe("====???? dead_letter");
  });
});

describe("clocks", () => {
  const seen: SeenTimes = { submittedAtMs: origin - 1, acceptedAtMs: origin + 25, doneAtMs: origin + 60 };
  const skews = (changes: Record<string, Change>, times = seen): Record<string, number> =>
    Object.fromEntries(readClocks(times, findPlaces(trail(changes))).map(({ service, skewMs }) => [service, skewMs]));
  const at = (startMs: number, endMs: number): Change => ({ startMs: origin + startMs, endMs: origin + endMs });

  test("go right as long as nothing proves that they do not", () => {
    expect(skews({})).toEqual({ "api-gateway": 0, "task-service": 0, worker: 0 });
  });

  test("that are ahead or behind are told by how much at least", () => {
    expect(skews({ service: at(5000, 5015) })).toMatchObject({ "api-gateway": 0, "task-service": 4990, worker: 0 });
    expect(skews({ received: at(-3000, -2980), ran: at(-2990, -2989) })).toMatchObject({ worker: -2999 });
  });

  test("of what was not seen to end cannot be called ahead", () => {
    const unended = { ...seen, doneAtMs: Number.POSITIVE_INFINITY };
    expect(skews({ ran: at(9000, 9001), received: at(9000, 9002) }, unended)).toMatchObject({ worker: 0 });
  });
});

test("what was dropped is read from a scrape: by service and reason, spans and log records together", () => {
  const scrape = `# TYPE otel_sdk_processor_span_processed_total counter
otel_sdk_processor_span_processed_total{otel_component_type="batching_span_processor",service_name="worker"} 1000
otel_sdk_processor_span_processed_total{error_type="queue_full",service_name="worker"} 12
otel_sdk_processor_log_processed_total{service_name="worker",error_type="queue_full"} 3
otel_sdk_processor_log_processed_total{service_name="api-gateway",error_type="ECONNREFUSED"} 7
tasks_processed_total{service_name="worker",error_type="queue_full"} 99
`;
  expect(droppedIn(scrape)).toEqual([
    { at: "worker", reason: "queue_full", count: 15 },
    { at: "api-gateway", reason: "ECONNREFUSED", count: 7 },
  ]);
});

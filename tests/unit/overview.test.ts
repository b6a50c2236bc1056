import { describe, expect, test } from "bun:test";
import { readConfig } from "../../src/config.ts";
import { createMetricHistory } from "../../src/console/metric-history.ts";
import { percentileOf, toOverview } from "../../src/console/overview.ts";
import { toSystemView } from "../../src/console/system-view.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { roleResource, senderOf } from "../support/metrics.ts";

/** On the border of a slot. */
const startMs = 1_700_000_000_000;

function start() {
  const clock = createFakeClock(startMs);
  const history = createMetricHistory(clock);
  return { clock, history, overview: (rangeMs = 60_000) => toOverview(history, rangeMs) };
}

const worker = senderOf("worker");
const gateway = senderOf("api-gateway");

describe("the charts", () => {
  test("have a rate for each step that is told, and none for others", async () => {
    const { clock, history, overview } = start();
    const now = () => clock.nowMs();
    history.take([worker(now(), startMs).gauge("worker_tasks_in_flight", [0])]);
    await clock.advance(5000);
    history.take([worker(now(), startMs).tasks("succeeded", 10)]);
    await clock.advance(5000);
    history.take([worker(now(), startMs).tasks("succeeded", 12)]);
    const { rates, at_ms, step_ms } = overview(20_000);
    expect(step_ms).toBe(5000);
    expect(at_ms).toEqual([startMs - 5000, startMs, startMs + 5000, startMs + 10_000]);
    expect(rates.succeeded).toEqual([null, null, 2, 0.4]);
    expect(rates.dead).toEqual([null, null, 0, 0]);
  });

  test("spread what came in a minute over that minute", async () => {
    const { clock, history, overview } = start();
    history.take([worker(clock.nowMs(), startMs).tasks("submitted", 0)]);
    await clock.advance(60_000);
    history.take([worker(clock.nowMs(), startMs).tasks("submitted", 120)]);
    expect(overview().rates.submitted).toEqual(Array(12).fill(2));
  });

  test("end where everybody has told, and do not wait for who fell silent", async () => {
    const { clock, history, overview } = start();
    const last = () => overview().at_ms.at(-1);
    const tell = (...who: (typeof worker)[]) =>
      history.take(who.map((sender) => sender(clock.nowMs()).gauge("worker_tasks_in_flight", [1])));
    tell(worker, gateway);
    await clock.advance(5000);
    tell(worker, gateway);
    await clock.advance(5000);
    tell(worker);
    expect(last()).toBe(startMs + 5000);
    await clock.advance(10_000);
    tell(worker);
    expect(last()).toBe(startMs + 20_000);
  });

  test("have percentiles of all who measured", async () => {
    const { clock, history, overview } = start();
    await clock.advance(5000);
    const [few, many] = [senderOf("worker", "a"), senderOf("worker", "b")];
    history.take([few(clock.nowMs(), startMs).queueWait([1]), many(clock.nowMs(), startMs).queueWait([8, 0, 1])]);
    const { p50, p99, floor } = overview(5000).durations.queue_wait;
    expect(floor).toBe(0.005);
    expect([p50, p99]).toEqual([[0.00278], [0.0235]]);
  });

  test("take the largest of what several tell of one queue, and the sum of their threads", async () => {
    const { clock, history, overview } = start();
    await clock.advance(2000);
    const depth = { queue: "task-events", state: "visible" };
    for (const [id, visible, busy] of [
      ["a", 7, 1],
      ["b", 9, 2],
    ] as const) {
      const told = senderOf("worker", id)(clock.nowMs());
      history.take([
        told.gauge("sqs_queue_depth", [visible, depth]),
        told.gauge("worker_threads", [busy, { state: "busy" }]),
        told.gauge("task_oldest_age", [1.5, { queue: "task-events" }]),
      ]);
    }
    await clock.advance(3000);
    for (const id of ["a", "b"]) history.take([senderOf("worker", id)(clock.nowMs()).gauge("other", [1])]);
    const { queues, threads } = overview(5000);
    expect(queues).toEqual([
      { name: "task-events", visible: [9], in_flight: [null], delayed: [null], oldest_age: [1.5] },
    ]);
    expect(threads.busy).toEqual([3]);
  });

  test("have at most 120 steps, however long the time", () => {
    const { overview } = start();
    expect(overview(3_600_000).at_ms.length).toBe(120);
    expect(overview(3_600_000).step_ms).toBe(30_000);
  });

  test("stay bounded, whatever is sent", async () => {
    const { clock, history, overview } = start();
    const long = "x".repeat(5000);
    for (let number = 0; number < 300; number++) {
      await clock.advance(1);
      const sender = senderOf(long, `role ${number} ${long}`)(clock.nowMs(), startMs);
      const queues = Array.from({ length: 250 }, (_, index): [number, Record<string, string>] => [
        1,
        { queue: `q${number}-${index}`, state: "visible" },
      ]);
      history.take([
        sender.gauge("sqs_queue_depth", [1, { queue: long, state: "visible" }], ...queues),
        sender.gauge(long, [1]),
      ]);
    }
    await clock.advance(5000);
    history.take([worker(clock.nowMs()).gauge("worker_tasks_in_flight", [1])]);
    const all = history.instances();
    expect(all.length).toBe(200);
    expect(Math.max(...all.map(({ id, service }) => id.length + service.length))).toBeLessThanOrEqual(400);
    expect([...new Set(all.flatMap(({ newest }) => [...newest.keys()]))].sort()).toEqual([
      "sqs_queue_depth",
      "worker_tasks_in_flight",
    ]);
    expect(overview().queues.length).toBeLessThanOrEqual(400);
  });

  test("know nothing of a service that is not ours", () => {
    const { clock, history, overview } = start();
    const own = worker(clock.nowMs(), startMs).tasks("succeeded", 1);
    history.take([{ ...own, resource: { "service.name": "shop", "service.instance.id": "x" } }]);
    expect(overview().services).toEqual([]);
  });
});

describe("a percentile", () => {
  test.each([
    [0.5, [0, 0, 0], null],
    [0.5, [4, 0, 0], 0.5],
    [0.5, [0, 2, 0], 5.5],
    [1, [1, 1, 0], 10],
    [0.99, [0, 0, 5], 10],
  ])("%p of %p is %p", (share, counts, value) => {
    expect(percentileOf(share, [1, 10], counts)).toBe(value);
  });
});

describe("the picture of the system", () => {
  test("has each role with what it told last, and no password", async () => {
    const { clock, history } = start();
    const told = worker(clock.nowMs(), startMs);
    const lost = { "otel.component.name": "x", "error.type": "queue_full" };
    history.take([
      told.gauge("worker_threads", [1, { state: "idle" }], [2, { state: "busy" }]),
      told.gauge("worker_tasks_in_flight", [3]),
      told.gauge("circuit_breaker_state", [0, { breaker: "store" }], [2, { breaker: "queue" }]),
      told.gauge("otel.sdk.processor.span.processed", [40, { "otel.component.name": "x" }], [2, lost]),
      told.gauge("otel.sdk.processor.span.queue.size", [5]),
      told.gauge("sqs_queue_depth", [7, { queue: "q", state: "visible" }], [1, { queue: "q", state: "in_flight" }]),
      told.gauge("task_oldest_age", [2.5, { queue: "q" }]),
    ]);
    const { config } = readConfig(
      { taskServiceUrl: "http://me:hunter2@tasks:8081/" },
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" },
    );
    const figures = { kept: 1, dropped: 2, waiting: 3 };
    const view = toSystemView({ history, figures, fileBytes: 4, config });
    expect(view.roles).toEqual([
      {
        service: "worker",
        instance_id: roleResource("worker")["service.instance.id"],
        version: "1.2.3",
        host: "here",
        pid: 7,
        runtime: "bun 1.4.5",
        environment: "development",
        seen_at: new Date(startMs).toISOString(),
        is_silent: false,
        threads: { idle: 1, busy: 2, stuck: 0, condemned: 0 },
        tasks_in_flight: 3,
        breakers: [
          { name: "store", state: "closed" },
          { name: "queue", state: "open" },
        ],
        spans: { exported: 40, dropped: 2, waiting: 5 },
        logs: { exported: 0, dropped: 0, waiting: 0 },
      },
    ]);
    expect(view.queues).toEqual([{ name: "q", visible: 7, in_flight: 1, delayed: 0, oldest_age: 2.5 }]);
    expect(JSON.stringify(view)).not.toContain("hunter2");
    expect(view.exports.traces).toBe("http://collector:4318/v1/traces");
    expect(view.settings.find(({ flag }) => flag === "--task-service-url")).toMatchObject({
      value: "http://REDACTED@tasks:8081/",
      source: "flag",
    });
  });

  test("says who fell silent", async () => {
    const { clock, history } = start();
    const tell = () => history.take([worker(clock.nowMs()).gauge("worker_tasks_in_flight", [0])]);
    tell();
    await clock.advance(5000);
    tell();
    await clock.advance(12_000);
    expect(history.instances().map(history.isSilent)).toEqual([false]);
    await clock.advance(1000);
    expect(history.instances().map(history.isSilent)).toEqual([true]);
  });
});

import { describe, expect, test } from "bun:test";
import { answerHealth, type Checks, mergeChecks, type ProcessState } from "../../src/health.ts";

describe("the checks of several roles", () => {
  test("are one set, with the worse status and the larger figure of those that two have", () => {
    const one: Checks = {
      database: { status: "healthy", connections_max: 1 },
      message_queue: { status: "unhealthy", queues_monitored: 1 },
      workers: { status: "healthy", threads: 2 },
    };
    const other: Checks = {
      database: { status: "degraded", connections_max: 2 },
      message_queue: { status: "healthy", queues_monitored: 2, name: "task-events" },
    };
    const merged: Checks = {
      database: { status: "degraded", connections_max: 2 },
      message_queue: { status: "unhealthy", queues_monitored: 2, name: "task-events" },
      workers: { status: "healthy", threads: 2 },
    };
    expect(mergeChecks([one, other])).toEqual(merged);
    expect(mergeChecks([other, one])).toEqual(merged);
    expect(mergeChecks([])).toEqual({});
  });

  test("have the sum of the open circuit breakers, of which each role has its own", () => {
    const open = (count: number): Checks => ({
      circuit_breakers: { status: count > 0 ? "degraded" : "healthy", open_breakers: count },
    });
    expect(mergeChecks([open(1), open(0), open(2)])).toEqual({
      circuit_breakers: { status: "degraded", open_breakers: 3 },
    });
    expect(mergeChecks([open(0), open(0)])).toEqual(open(0));
  });
});

test.each([
  ["/health", "unhealthy", false, [503, "1"]],
  ["/health", "degraded", false, [200, null]],
  ["/health/ready", "healthy", false, [503, "1"]],
  ["/health/ready", "unhealthy", true, [200, null]],
  ["/health/live", "unhealthy", false, [200, null]],
] as const)("%s of a process that is %s, and ready: %p, is answered with %p", async (path, status, isReady, seen) => {
  const state: ProcessState = {
    isReady: async () => isReady,
    health: async () => ({ status, checks: {}, uptime_seconds: 1 }),
  };
  const answer = await answerHealth(path, state);
  expect([answer?.status, answer?.headers.get("retry-after")]).toEqual([...seen]);
});

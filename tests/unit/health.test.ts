import { describe, expect, test } from "bun:test";
import {
  answerHealth,
  type Checks,
  checkParts,
  checkWithin,
  keepAnswer,
  mergeChecks,
  type ProcessState,
} from "../../src/http/health.ts";
import { systemClock } from "../../src/limits/clock.ts";

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

  test("have as many idle connections as the role sees that sees the fewest", () => {
    const idle: Checks = { database: { status: "healthy", connections_active: 0, connections_idle: 1 } };
    const busy: Checks = { database: { status: "healthy", connections_active: 1, connections_idle: 0 } };
    expect([mergeChecks([idle, busy]), mergeChecks([busy, idle]), mergeChecks([idle, idle])]).toEqual([
      busy,
      busy,
      idle,
    ]);
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

describe("a check", () => {
  const figures = { queues_monitored: 1 };

  test("that is answered is healthy, one that rejects is unhealthy, and both keep their figures", async () => {
    expect(await checkWithin(figures, Promise.resolve(1))).toEqual({ status: "healthy", ...figures });
    expect(await checkWithin(figures, Promise.reject(new Error("away")))).toEqual({ status: "unhealthy", ...figures });
  });

  test("that is answered late is degraded, and one that never is, unhealthy", async () => {
    const late = systemClock.sleep(1100);
    const never = new Promise(() => {});
    expect(await Promise.all([checkWithin(figures, late), checkWithin(figures, never)])).toEqual([
      { status: "degraded", ...figures },
      { status: "unhealthy", ...figures },
    ]);
  });

  test("of several queues is as bad as the worst of them", async () => {
    const store = { ping: async () => {}, connections: () => ({ active: 1, idle: 2, max: 3 }) };
    const [good, bad] = [{ depth: async () => 0 }, { depth: () => Promise.reject(new Error("away")) }];
    const database = { status: "healthy", connections_active: 1, connections_idle: 2, connections_max: 3 };
    expect<unknown>(await checkParts({ store, queues: [good, bad] })).toEqual({
      database,
      message_queue: { status: "unhealthy", queues_monitored: 2 },
    });
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

describe("an answer that is kept", () => {
  function startCounted(answers: (() => Promise<string>)[]) {
    let nowMs = 0;
    let asked = 0;
    const ask = keepAnswer(
      () => answers[asked++]?.() ?? Promise.reject(new Error("asked too often")),
      () => nowMs,
    );
    const pass = (ms: number): void => {
      nowMs += ms;
    };
    return { ask, pass, asked: () => asked };
  }

  test("is given for a second to all that ask, and then asked for again", async () => {
    const { ask, pass, asked } = startCounted([async () => "first", async () => "second"]);
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(["first", "first", "first"]);
    pass(999);
    expect([await ask(), asked()]).toEqual(["first", 1]);
    pass(1);
    expect([await ask(), await ask(), asked()]).toEqual(["second", "second", 2]);
  });

  test("is waited for by all that come while it is asked for, however long that takes", async () => {
    const slow = Promise.withResolvers<string>();
    const { ask, pass, asked } = startCounted([() => slow.promise]);
    const early = ask();
    pass(5000);
    const late = ask();
    slow.resolve("slow");
    expect([await early, await late, await ask(), asked()]).toEqual(["slow", "slow", "slow", 1]);
  });

  test("is no failure: that is asked for again at once", async () => {
    const { ask } = startCounted([() => Promise.reject(new Error("not now")), async () => "well"]);
    expect(await ask().catch((error: Error) => error.message)).toBe("not now");
    expect(await ask()).toBe("well");
  });
});

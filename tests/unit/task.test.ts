import { describe, expect, test } from "bun:test";
import {
  isEnded,
  type TaskStatus,
  type TimelineEntry,
  taskStatuses,
  toAttempts,
  transitions,
} from "../../src/words/task.ts";

describe("the attempts that a timeline tells", () => {
  const error = { type: "SmtpRefused", message: "421 try later" };

  /** The timeline that leads through these states, a second in each. */
  function timelineOf(...steps: (Partial<TimelineEntry> & { to: TaskStatus })[]): TimelineEntry[] {
    return steps.map((step, index) => ({
      atMs: index * 1000,
      from: steps[index - 1]?.to ?? null,
      attempt: 0,
      durationMs: index === 0 ? 0 : 1000,
      outcome: null,
      error: null,
      traceId: `trace ${index}`,
      spanId: `span ${index}`,
      service: "worker",
      worker: null,
      ...step,
    }));
  }

  test("are none before the first claim", () => {
    expect(toAttempts(timelineOf({ to: "scheduled" }, { to: "queued" }))).toEqual([]);
  });

  test("leave the one that runs open", () => {
    const timeline = timelineOf({ to: "queued" }, { to: "running", attempt: 1, worker: "w1" });
    expect(toAttempts(timeline)).toEqual([
      { number: 1, startedAtMs: 1000, endedAtMs: null, outcome: null, error: null, traceId: "trace 1", worker: "w1" },
    ]);
  });

  test("are closed by the entry that follows, with its outcome and error", () => {
    const timeline = timelineOf(
      { to: "queued" },
      { to: "running", attempt: 1, worker: "w1" },
      { to: "retrying", attempt: 1, outcome: "failed", error },
      { to: "running", attempt: 2, worker: "w2" },
      { to: "succeeded", attempt: 2, outcome: "succeeded" },
    );
    expect(toAttempts(timeline)).toEqual([
      { number: 1, startedAtMs: 1000, endedAtMs: 2000, outcome: "failed", error, traceId: "trace 1", worker: "w1" },
      {
        number: 2,
        startedAtMs: 3000,
        endedAtMs: 4000,
        outcome: "succeeded",
        error: null,
        traceId: "trace 3",
        worker: "w2",
      },
    ]);
  });

  test("are closed as crashed when the next claim follows at once", () => {
    const timeline = timelineOf(
      { to: "queued" },
      { to: "running", attempt: 1, worker: "w1" },
      { to: "running", attempt: 2, worker: "w2", outcome: "crashed" },
    );
    expect(toAttempts(timeline)).toEqual([
      {
        number: 1,
        startedAtMs: 1000,
        endedAtMs: 2000,
        outcome: "crashed",
        error: null,
        traceId: "trace 1",
        worker: "w1",
      },
      { number: 2, startedAtMs: 2000, endedAtMs: null, outcome: null, error: null, traceId: "trace 2", worker: "w2" },
    ]);
  });

  test("keep an interrupted one beside the next, which has the same number", () => {
    const timeline = timelineOf(
      { to: "queued" },
      { to: "running", attempt: 1 },
      { to: "queued", attempt: 1, outcome: "interrupted", error },
      { to: "running", attempt: 1 },
      { to: "failed", attempt: 1, outcome: "timed_out", error },
      { to: "dead", attempt: 1 },
    );
    expect(toAttempts(timeline).map(({ number, outcome, endedAtMs }) => [number, outcome, endedAtMs])).toEqual([
      [1, "interrupted", 2000],
      [1, "timed_out", 4000],
    ]);
  });
});

describe("the states", () => {
  const ended: TaskStatus[] = ["succeeded", "dead", "canceled", "discarded"];

  test("that end a wait are succeeded, dead, canceled and discarded", () => {
    expect(taskStatuses.filter(isEnded)).toEqual(ended);
  });

  test("that are ends lead nowhere, but for the two ways back from the dead", () => {
    expect(ended.map((status) => [status, transitions[status]])).toEqual([
      ["succeeded", []],
      ["dead", ["queued", "discarded"]],
      ["canceled", []],
      ["discarded", []],
    ]);
  });

  test("that are live can all be dead-lettered by the broker, and all lead to an end", () => {
    const live = taskStatuses.filter((status) => !isEnded(status));
    expect(live.filter((status) => !transitions[status].includes("dead"))).toEqual([]);
  });

  test("are all reached from a new task's two", () => {
    const reached = new Set<TaskStatus>(["scheduled", "queued"]);
    for (const status of reached) for (const next of transitions[status]) reached.add(next);
    expect([...reached].sort()).toEqual([...taskStatuses].sort());
  });

  test("let a task run from the queue and between attempts only", () => {
    expect(taskStatuses.filter((status) => transitions[status].includes("running"))).toEqual([
      "queued",
      "running",
      "retrying",
    ]);
  });
});

/** Which traces leave a whole system that samples none by itself: those that fail, and those that are forced. */

import { beforeAll, describe, expect, test } from "bun:test";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { eventually } from "../support/eventually.ts";
import { type ObservedSystem, spansIn, startObservedSystem } from "../support/observed-system.ts";
import type { HttpTask } from "../support/system.ts";
import { expectedTree, type TaskCase } from "../support/ten-tasks.ts";
import { faultsOf, toTraceTrees } from "../support/trace-tree.ts";

const limitMs = 60_000;
const none = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" };
const forced = { "x-force-trace": "true" };

const fine: TaskCase = { body: { type: "echo", payload: 1 }, attempts: ["succeeded"], status: "succeeded" };
const retried: TaskCase = {
  body: { type: "flaky", payload: { failures: 1 } },
  attempts: ["failed", "succeeded"],
  status: "succeeded",
};
const dead: TaskCase = {
  body: { type: "fail", payload: {}, max_attempts: 2 },
  attempts: ["failed", "failed"],
  status: "dead",
};
const late: TaskCase = {
  body: { type: "spin", payload: {}, max_attempts: 1 },
  attempts: ["timed_out"],
  status: "dead",
};

async function run(system: ObservedSystem, { body, status }: TaskCase, headers = {}): Promise<HttpTask> {
  const timeout = body.type === "spin" ? { timeout: "300ms" } : {};
  const { id } = await system.accept({ ...body, ...timeout }, headers);
  return eventually(async () => {
    const task = await system.task(id, "20s");
    expect(task.status).toBe(status);
    return task;
  });
}

describe("a system that samples no trace", () => {
  let tasks: { fine: HttpTask[]; failed: [TaskCase, HttpTask][]; forced: [TaskCase, HttpTask][] };
  let system: ObservedSystem;
  const spansOf = ({ trace_id }: HttpTask): ReceivedSpan[] => spansIn(system.received, trace_id);

  beforeAll(async () => {
    system = await startObservedSystem({ retryBase: "1ms" }, none);
    await using _ = system;
    const pairs = (cases: TaskCase[], headers = {}) =>
      Promise.all(cases.map(async (each): Promise<[TaskCase, HttpTask]> => [each, await run(system, each, headers)]));
    const [ended, failed, chosen] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, () => run(system, fine))),
      pairs([retried, dead]),
      pairs([fine, retried, dead], forced),
    ]);
    // Alone: it takes its thread along.
    tasks = { fine: ended, failed: [...failed, ...(await pairs([late]))], forced: chosen };
    await system.stop();
  }, limitMs);

  test("tells nothing of tasks that succeed at once", () => {
    expect(tasks.fine.flatMap(spansOf)).toEqual([]);
  });

  test("tells the whole trace of a task that fails, is late or dies, through every role", () => {
    const trees = tasks.failed.map(([, task]) => toTraceTrees(spansOf(task)));
    expect(trees).toEqual(tasks.failed.map(([each]) => [expectedTree(each)]));
    expect(tasks.failed.flatMap(([, task]) => faultsOf(spansOf(task)))).toEqual([]);
  });

  test("tells the whole trace of a task that is forced, and marks each of its spans", () => {
    const trees = tasks.forced.map(([, task]) => toTraceTrees(spansOf(task)));
    expect(trees).toEqual(tasks.forced.map(([each]) => [expectedTree(each)]));
    const marks = tasks.forced.flatMap(([, task]) => spansOf(task)).map(({ attributes }) => attributes);
    expect(new Set(marks.map((attributes) => attributes["throughline.forced"]))).toEqual(new Set([true]));
  });

  test(
    "lets no more than a few callers a second force theirs",
    async () => {
      await using other = await startObservedSystem({}, none);
      const answers = await Promise.all(Array.from({ length: 60 }, () => other.submit({ type: "echo" }, forced)));
      const flags = answers.map(({ headers }) => headers.get("traceresponse")?.slice(-2));
      const sampled = flags.filter((flag) => (Number.parseInt(flag ?? "", 16) & 1) === 1).length;
      expect([answers.every(({ status }) => status === 202), sampled >= 10, sampled < 60]).toEqual([true, true, true]);
    },
    limitMs,
  );
});

test(
  "a system whose tracing is off tells no span at all, whatever fails or is forced",
  async () => {
    await using system = await startObservedSystem({ retryBase: "1ms" }, { OTEL_TRACES_SAMPLER: "always_off" });
    await Promise.all([run(system, retried), run(system, dead, forced)]);
    await system.stop();
    expect(system.received.spans).toEqual([]);
    expect(system.received.logs.length).toBeGreaterThan(0);
  },
  limitMs,
);

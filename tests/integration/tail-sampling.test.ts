/** The collector as we ship its configuration: of many tasks it keeps, whole, those that somebody will ask about. */

import { beforeAll, expect, test } from "bun:test";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { startCollector } from "../parts/collector.ts";
import { deadLettersAt } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { describeWith } from "../support/requires.ts";
import { type HttpTask, startTestSystem } from "../support/system.ts";
import { expectedTree, type TaskCase } from "../support/ten-tasks.ts";
import { toTraceTrees } from "../support/trace-tree.ts";

const limitMs = 120_000;

const fine: TaskCase = { body: { type: "echo", payload: 1 }, attempts: ["succeeded"], status: "succeeded" };
const slow: TaskCase = {
  body: { type: "sleep", payload: { ms: 6000 } },
  attempts: ["succeeded"],
  status: "succeeded",
};
const repeated: TaskCase = {
  body: { type: "flaky", payload: { failures: 1 } },
  attempts: ["failed", "succeeded"],
  status: "succeeded",
};
const dead: TaskCase = { body: { type: "fail", payload: {}, max_attempts: 1 }, attempts: ["failed"], status: "dead" };

interface Ran {
  case: TaskCase;
  task: HttpTask;
}

describeWith("collector")("of 200 tasks and none of the rest, the collector", () => {
  const kept: ReceivedSpan[] = [];
  let ordinary: Ran[];
  let wanted: Ran[];
  let redrivenId: string;

  beforeAll(async () => {
    const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (spans) => kept.push(...spans) });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => receiver.stop());
    const collector = stack.use(
      await startCollector({
        TRACES_ENDPOINT: receiver.url,
        TAIL_DECISION_WAIT: "10s",
        TAIL_SLOW_MS: "5000",
        TAIL_PERCENTAGE: "0",
      }),
    );
    const flags = { retryBase: "1ms", threads: "2", threadConcurrency: "64" };
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "100" };
    const system = stack.use(await startTestSystem(flags, env));
    const runOne = async (each: TaskCase, headers = {}): Promise<Ran> => {
      const { id } = await system.accept(each.body, headers);
      return { case: each, task: await system.task(id, "60s") };
    };
    // A few at a time, or the machine makes them all slow.
    const run = async (each: TaskCase, count: number, headers = {}): Promise<Ran[]> => {
      const ran: Ran[] = [];
      while (ran.length < count) ran.push(await runOne(each, headers));
      return ran;
    };
    const slowOnes = Promise.all(Array.from({ length: 15 }, () => runOne(slow)));
    const forced = await run(fine, 8, { "x-force-trace": "true" });
    const groups = await Promise.all([run(fine, 140), run(repeated, 20), run(dead, 17)]);
    [ordinary = []] = groups;
    wanted = [...groups.slice(1), await slowOnes, forced].flat();
    redrivenId = wanted.find((ran) => ran.case === dead)?.task.id ?? "";
    await deadLettersAt(system.url).redriven({ ids: [redrivenId] });
    await eventually(async () => (await deadLettersAt(system.url).get(redrivenId)).redrives === 1);
    await system.system.drain();
    // The redrive came last: by the time that it is kept, all others have been decided.
    const isKept = (): boolean => kept.some(({ name }) => name === "redrive tasks");
    await eventually(() => isKept() && wanted.every(({ task }) => spansOf(task).length > 0), { timeoutMs: 60_000 });
  }, limitMs);

  const spansOf = (task: HttpTask): ReceivedSpan[] => kept.filter(({ traceId }) => traceId === task.trace_id);

  test("keeps whole all that failed, were slow or were forced", () => {
    expect(wanted.length + ordinary.length).toBe(200);
    const trees = wanted.map(({ task }) => toTraceTrees(spansOf(task)));
    expect(trees).toEqual(wanted.map((ran) => [expectedTree(ran.case)]));
  });

  test("keeps what came of a redrive", () => {
    const redrives = kept.filter(({ name }) => name === "redrive tasks");
    expect(redrives.map(({ attributes }) => attributes.task_id)).toEqual([redrivenId]);
  });

  test("keeps nothing of the others", () => {
    expect(ordinary.flatMap(({ task }) => spansOf(task))).toEqual([]);
  });
});

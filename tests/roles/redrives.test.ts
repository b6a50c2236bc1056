/** Redrives over HTTP on the running system: dead tasks come back at a chosen rate, each once, in a new trace. */

import { afterEach, describe, expect, test } from "bun:test";
import { encodeTask } from "../../src/queue/envelope.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { allDead, type DeadLetters, deadLettersAt, discardAll, makeDead } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { problemOf } from "../support/http-problem.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { sharedSystem } from "../support/shared-system.ts";
import { openSqsQueue } from "../support/sqs-queue.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 120_000;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const traceId = /^[0-9a-f]{32}$/;
const fatal = { type: "fail", payload: { fatal: true } };

const running = sharedSystem({ retryBase: "1ms" });

function parts(): { system: TestSystem; dead: DeadLetters } {
  return { system: running(), dead: deadLettersAt(running().url) };
}

// The next test begins without dead letters.
afterEach(() => discardAll(running()), limitMs);

/** All that dead letters and redrives could change. */
function stored(system: TestSystem): unknown[] {
  const tables = ["tasks", "tasks_timeline", "tasks_redrives", "tasks_unreadable"];
  return tables.map((table) => system.rows(`SELECT * FROM ${table} ORDER BY 1, 2`));
}

/** Each time that one of these tasks came back, in the order it happened. */
function returns(system: TestSystem, ids: readonly string[]): { id: string; atMs: number }[] {
  const rows = system.rows(
    "SELECT task_id, at FROM tasks_timeline WHERE from_status = 'dead' AND to_status = 'queued'",
  );
  return rows
    .map(({ task_id: id, at }) => ({ id: String(id), atMs: Number(at) }))
    .filter(({ id }) => ids.includes(id))
    .sort((a, b) => a.atMs - b.atMs);
}

async function countRedriven({ adminUrl }: TestSystem): Promise<{ moved: number; failed: number }> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  const countOf = (result: string): number =>
    series.find(({ name, labels }) => name === "task_redrives_total" && labels.result === result)?.value ?? 0;
  return { moved: countOf("moved"), failed: countOf("failed") };
}

describe("a redrive", () => {
  test(
    "that is a dry run counts, and changes nothing; one of nothing has completed as it begins",
    async () => {
      const { system, dead } = parts();
      const ids = await makeDead(system, fatal, 3);
      await makeDead(system, { type: "fail", max_attempts: 1 }, 2);
      const before = stored(system);
      const counts: [asked: object, matched: number, failed: number][] = [
        [{ filter: {} }, 5, 0],
        [{ filter: { reason: "fatal" } }, 3, 0],
        [{ filter: { type: "echo" } }, 0, 0],
        [{ ids: [...ids, newTaskId()] }, 4, 1],
      ];
      for (const [asked, matched, failed] of counts) {
        expect(await dead.count(asked)).toEqual({
          id: null,
          status: "dry_run",
          matched,
          moved: 0,
          failed,
          rate_per_second: null,
          reason: null,
          created_at: null,
          ended_at: null,
        });
      }
      expect(stored(system)).toEqual(before);

      const empty = await dead.order({ filter: { type: "echo" } });
      expect(empty).toMatchObject({ status: "completed", matched: 0, moved: 0, failed: 0 });
      expect(empty.ended_at).toBe(empty.created_at);
    },
    limitMs,
  );

  test(
    "by ids brings those back and no other; each runs again from attempt 1, in a new trace, with its history",
    async () => {
      const { system, dead } = parts();
      // Answers 400, which is final, until it is mended.
      let status = 400;
      await using shop = serve(() => new Response("{}", { status }));
      const [id = "", other = ""] = await makeDead(system, { type: "http", payload: { url: shop.url } }, 2);
      const [before, countedBefore] = [await system.task(id), await countRedriven(system)];
      status = 200;
      const asked = { ids: [id, id, newTaskId()], rate_per_second: 50, reason: "the shop is mended" };
      const ordered = await dead.order(asked);
      const { id: redriveId, created_at: createdAt } = ordered;
      expect(redriveId).not.toBeNull();
      expect(createdAt).toMatch(rfc3339);
      const told = {
        id: redriveId,
        matched: 2,
        rate_per_second: 50,
        reason: "the shop is mended",
        created_at: createdAt,
      };
      expect(ordered).toEqual({ ...told, status: "running", moved: 0, failed: 0, ended_at: null });
      const ended = await dead.ended(ordered);
      expect(ended).toEqual({ ...told, status: "completed", moved: 1, failed: 1, ended_at: ended.ended_at });
      expect(ended.ended_at).toMatch(rfc3339);

      const task = await system.task(id, "60s");
      expect(task).toMatchObject({ status: "succeeded", attempt: 1, error: null, trace_id: before.trace_id });
      expect(task.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
        [1, "failed"],
        [1, "succeeded"],
      ]);
      expect(task.attempts[0]).toEqual(before.attempts[0] ?? expect.unreachable());
      expect(task.attempts[1]?.trace_id).toMatch(traceId);
      expect(task.attempts[1]?.trace_id).not.toBe(before.trace_id);
      expect((await dead.list()).items.map(({ task: { id } }) => id)).toEqual([other]);
      const counted = { moved: countedBefore.moved + 1, failed: countedBefore.failed + 1 };
      await eventually(async () => Bun.deepEquals(await countRedriven(system), counted));
      const lines = system.lines.filter((line) => line.redrive_id === redriveId);
      expect(lines).toMatchObject([
        { service: "task-service", msg: "redrive ordered", matched: 2, reason: "the shop is mended" },
        { service: "dlq-processor", msg: "task redriven", task_id: id, trace_id: task.attempts[1]?.trace_id },
        { service: "dlq-processor", msg: "redrive completed", elapsed_ms: expect.any(Number) },
      ]);
    },
    limitMs,
  );

  test(
    "by filter brings back what fits, the oldest death first; what dies again while it runs is not its own",
    async () => {
      const { system, dead } = parts();
      const ids: string[] = [];
      // One after the other, so that the order of their deaths is known.
      for (let n = 0; n < 5; n++) ids.push(...(await makeDead(system, fatal, 1)));
      const [left = ""] = await makeDead(system, { type: "fail", max_attempts: 1 }, 1);
      const redrive = await dead.redriven({ filter: { reason: "fatal" }, rate_per_second: 10 });
      expect(redrive).toMatchObject({ status: "completed", matched: 5, moved: 5, failed: 0, reason: null });
      expect(returns(system, ids).map(({ id }) => id)).toEqual(ids);
      await allDead(system, 6);
      expect(await dead.get(left)).toMatchObject({ redrives: 0 });
      for (const id of ids) expect(await dead.get(id)).toMatchObject({ redrives: 1, reason: "fatal" });
    },
    limitMs,
  );

  test(
    "moves no task before its time at the rate asked for",
    async () => {
      const { system, dead } = parts();
      const ids = await makeDead(system, fatal, 12);
      const redrive = await dead.redriven({ filter: {}, rate_per_second: 20 });
      expect(redrive).toMatchObject({ moved: 12, failed: 0 });
      const createdAtMs = Date.parse(redrive.created_at ?? "");
      // Two in each tenth of a second.
      const early = returns(system, ids).filter(({ atMs }, n) => atMs < createdAtMs + Math.floor(n / 2) * 100);
      expect(early).toEqual([]);
    },
    limitMs,
  );

  test(
    "leaves a task that has come back dead three times where it is, unless it is forced",
    async () => {
      const { system, dead } = parts();
      const [id = ""] = await makeDead(system, fatal, 1);
      for (const redrives of [1, 2, 3]) {
        expect(await dead.redriven({ ids: [id] })).toMatchObject({ matched: 1, moved: 1, failed: 0 });
        await eventually(async () => (await dead.get(id)).redrives === redrives);
      }
      const held = await dead.get(id);
      for (const asked of [{ ids: [id] }, { filter: {} }]) {
        expect(await dead.count(asked)).toMatchObject({ matched: 1, moved: 0, failed: 1 });
        expect(await dead.redriven(asked)).toMatchObject({ status: "completed", matched: 1, moved: 0, failed: 1 });
      }
      expect(await dead.get(id)).toEqual(held);
      expect(await dead.count({ ids: [id], force: true })).toMatchObject({ matched: 1, failed: 0 });
      expect(await dead.redriven({ filter: {}, force: true })).toMatchObject({ matched: 1, moved: 1, failed: 0 });
      await eventually(async () => (await dead.get(id)).redrives === 4);
    },
    limitMs,
  );

  test(
    "that is paused stops where the answer says, and goes on when it is resumed",
    async () => {
      const { system, dead } = parts();
      const ids = await makeDead(system, fatal, 60);
      const [beside = ""] = await makeDead(system, { type: "fail", max_attempts: 1 }, 1);
      const ordered = await dead.order({ filter: { reason: "fatal" }, rate_per_second: 20 });
      await dead.moved(ordered, 6);
      const paused = await dead.control(ordered, "pause");
      expect(paused).toMatchObject({ status: "paused", ended_at: null, failed: 0 });
      expect(paused.moved).toBeGreaterThanOrEqual(6);
      expect(await dead.control(ordered, "pause")).toEqual(paused);

      // Another one goes past it: the dlq has looked for work since.
      expect(await dead.redriven({ ids: [beside] })).toMatchObject({ status: "completed", moved: 1 });
      expect(await dead.redrive(ordered)).toEqual(paused);
      expect(returns(system, ids)).toHaveLength(paused.moved);

      expect(await dead.control(ordered, "resume")).toEqual({ ...paused, status: "running" });
      const ended = await dead.ended(ordered);
      expect(ended).toEqual({ ...paused, status: "completed", moved: 60, ended_at: ended.ended_at });
      const returned = returns(system, ids).map(({ id }) => id);
      expect(returned.sort()).toEqual(ids.sort());
    },
    limitMs,
  );

  test(
    "that is canceled leaves the rest dead, and takes no further command",
    async () => {
      const { system, dead } = parts();
      const ids = await makeDead(system, fatal, 40);
      const ordered = await dead.order({ filter: {}, rate_per_second: 20 });
      await dead.moved(ordered, 4);
      const canceled = await dead.control(ordered, "cancel");
      expect(canceled).toMatchObject({ status: "canceled", matched: 40, failed: 0 });
      expect(canceled.ended_at).toMatch(rfc3339);
      for (const command of ["pause", "resume", "cancel"] as const) {
        const problem = await problemOf(await dead.ask("POST", `/redrives/${ordered.id}/${command}`));
        expect(problem).toMatchObject({ status: 409, code: "conflict", detail: "the redrive is canceled already" });
      }
      await allDead(system, 40);
      expect(await dead.redrive(ordered)).toEqual(canceled);
      const rest = system.rows("SELECT count(*) AS count FROM tasks WHERE status = 'dead' AND redrives = 0");
      expect(rest).toEqual([{ count: 40 - canceled.moved }]);
      expect(returns(system, ids)).toHaveLength(canceled.moved);
    },
    limitMs,
  );

  test(
    "whose dlq dies in the middle goes on with the next one, and its counts add up",
    async () => {
      await using system = await startTestSystem({ visibilityTimeout: "2s" });
      const dead = deadLettersAt(system.url);
      const ids = await makeDead(system, fatal, 60);
      const [discarded = ""] = ids;
      const ordered = await dead.order({ ids: ids.toReversed(), rate_per_second: 30 });
      await dead.moved(ordered, 6);
      system.system.crash("dlq");
      // One of the last, which nobody has come to yet.
      await dead.discard(discarded, "of no use any more");
      const ended = await dead.ended(ordered);
      expect(ended).toMatchObject({ status: "completed", matched: 60, moved: 59, failed: 1 });
      const returned = returns(system, ids).map(({ id }) => id);
      expect(returned.sort()).toEqual(ids.slice(1).sort());
      // What was committed and not sent when it died is the sweeper's, half a minute later.
      await allDead(system, 59, 90_000);
      expect(await system.task(discarded)).toMatchObject({ status: "discarded" });
      expect(system.lines.filter(({ msg }) => msg === "a role's thread ended, it is started again")).toHaveLength(1);
    },
    limitMs,
  );
});

test(
  "a letter of an earlier death that comes late does not bury a task that was brought back",
  async () => {
    const { system, dead } = parts();
    const letters = await openSqsQueue(system, "task-events-dlq");
    const [held, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let asked = 0;
    await using shop = serve(async () => {
      asked += 1;
      if (asked === 1) return new Response(null, { status: 400 });
      held.resolve();
      await opened.promise;
      return Response.json("open");
    });
    const [id = ""] = await makeDead(system, { type: "http", payload: { url: shop.url } }, 1);
    await dead.redriven({ ids: [id] });
    await held.promise;
    // The dlq recorded the letter and died before it could delete it: the broker delivers it again.
    const reason = { dead_reason: { DataType: "String", StringValue: "fatal" } };
    await letters.send(encodeTask({ taskId: id, type: "http" }), reason);
    await eventually(async () => Bun.deepEquals(await letters.depth(), { visible: 0, inFlight: 0 }));
    expect(await system.task(id)).toMatchObject({ status: "running", attempt: 1 });
    opened.resolve();
    expect(await system.task(id, "60s")).toMatchObject({ status: "succeeded", attempt: 1 });
  },
  limitMs,
);

function serve(answer: () => Response | Promise<Response>): AsyncDisposable & { url: string } {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: answer });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}

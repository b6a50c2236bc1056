/**
 * Dead letters over HTTP on the running system: looked at, brought back at a chosen rate, put away. Long because bad
 * input is a table.
 */

import { describe, expect, test } from "bun:test";
import { encodeTask } from "../../src/queue/envelope.ts";
import { newTaskId } from "../../src/task.ts";
import { allDead, type DeadLetters, deadLettersAt, makeDead } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { problemOf } from "../support/http-problem.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { openSqsQueue } from "../support/sqs-queue.ts";
import { startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";

const limitMs = 120_000;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const traceId = /^[0-9a-f]{32}$/;
const fatal = { type: "fail", payload: { fatal: true } };

type Running = AsyncDisposable & { system: TestSystem; dead: DeadLetters };

async function start(flags: TestFlags = {}): Promise<Running> {
  const system = await startTestSystem({ retryBase: "1ms", ...flags });
  return { system, dead: deadLettersAt(system.url), [Symbol.asyncDispose]: () => system[Symbol.asyncDispose]() };
}

function idsOf(items: readonly { task: { id: string } }[]): string[] {
  return items.map(({ task }) => task.id);
}

/** All that dead letters and redrives could change. */
function stored({ system }: Running): unknown[] {
  const tables = ["tasks", "tasks_timeline", "tasks_redrives", "tasks_unreadable"];
  return tables.map((table) => system.rows(`SELECT * FROM ${table} ORDER BY 1, 2`));
}

/** Each time that a task came back, in the order it happened. */
function returns({ system }: Running): { id: string; atMs: number }[] {
  const rows = system.rows(
    "SELECT task_id, at FROM tasks_timeline WHERE from_status = 'dead' AND to_status = 'queued'",
  );
  return rows.map(({ task_id: id, at }) => ({ id: String(id), atMs: Number(at) })).sort((a, b) => a.atMs - b.atMs);
}

describe("the list", () => {
  test(
    "has dead tasks only, newest death first, in pages that later deaths do not shift",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      const first = await makeDead(system, fatal, 5);
      const succeeded = await system.accept({ type: "echo" });
      await system.task(succeeded.id, "60s");

      const page = await dead.list("?limit=2");
      expect(page.items).toHaveLength(2);
      await makeDead(system, fatal, 2);
      const rest = await dead.list(`?limit=3&cursor=${page.next_cursor}`);
      expect(rest.next_cursor).toBeNull();
      const all = [...page.items, ...rest.items];
      expect(idsOf(all).sort()).toEqual(first.sort());
      expect(all.map(({ died_at: at }) => at)).toEqual(
        all
          .map(({ died_at: at }) => at)
          .sort()
          .reverse(),
      );
      expect((await dead.list()).items).toHaveLength(7);
    },
    limitMs,
  );

  test(
    "is narrowed by type, by the last error's type and by reason, and by all of them together",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      const [fatally = ""] = await makeDead(system, fatal, 1);
      const [exhausted = ""] = await makeDead(system, { type: "fail", max_attempts: 2 }, 1);
      const [crashed = ""] = await makeDead(system, { type: "crash", max_attempts: 1 }, 1);
      const lists: [query: string, ids: string[]][] = [
        ["?type=fail", [exhausted, fatally]],
        ["?type=crash", [crashed]],
        ["?error=FatalError", [fatally]],
        ["?error=crashed", [crashed]],
        ["?reason=attempts_exhausted", [crashed, exhausted]],
        ["?reason=fatal", [fatally]],
        ["?type=fail&error=Error&reason=attempts_exhausted", [exhausted]],
        ["?type=crash&reason=fatal", []],
        ["?type=nobody-runs-this", []],
        ["", [crashed, exhausted, fatally]],
      ];
      for (const [query, ids] of lists) {
        const { items, next_cursor: cursor } = await dead.list(query);
        expect({ query, ids: idsOf(items), cursor }).toEqual({ query, ids, cursor: null });
      }
    },
    limitMs,
  );
});

test(
  "a dead letter shows its task with every attempt's error and trace, why and when it died",
  async () => {
    await using running = await start();
    const { system, dead } = running;
    const [id = ""] = await makeDead(system, { type: "fail", payload: { message: "no luck" }, max_attempts: 2 }, 1);
    const task = await system.task(id);
    const attempt = { outcome: "failed", error: { type: "Error", message: "no luck" }, trace_id: task.trace_id };
    expect(task.attempts.map(({ number, outcome, error, trace_id }) => ({ number, outcome, error, trace_id }))).toEqual(
      [
        { number: 1, ...attempt },
        { number: 2, ...attempt },
      ],
    );
    const letter = await dead.get(id);
    expect(letter).toEqual({
      task,
      reason: "attempts_exhausted",
      died_at: expect.stringMatching(rfc3339),
      trace_id: task.trace_id,
      redrives: 0,
    });
    expect(letter.died_at >= (task.ended_at ?? "none")).toBe(true);
    expect((await dead.list()).items).toEqual([letter]);
  },
  limitMs,
);

test(
  "messages that name no task are shown as they were, and never come round again",
  async () => {
    await using running = await start();
    const { system, dead } = running;
    const queues = [await openSqsQueue(system, "task-events"), await openSqsQueue(system, "task-events-dlq")];
    const foreign = { foreign: { DataType: "String", StringValue: "left alone" } };
    for (const [n, queue] of queues.entries()) await queue.send(`garbage ${n}`, foreign);
    const items = await eventually(async () => {
      const found = await dead.unreadable();
      return found.length === 2 && found;
    });
    for (const queue of queues) {
      await eventually(async () => Bun.deepEquals(await queue.depth(), { visible: 0, inFlight: 0 }));
    }
    const shown = items.map(({ body, reason, attributes }) => ({ body, reason, foreign: attributes.foreign }));
    expect(shown.sort((a, b) => (a.body < b.body ? -1 : 1))).toEqual([
      { body: "garbage 0", reason: "unreadable", foreign: "left alone" },
      { body: "garbage 1", reason: "receive_limit", foreign: "left alone" },
    ]);
    for (const { message_id: messageId, received_at: at } of items) {
      expect([messageId, at]).toEqual([expect.stringMatching(/./), expect.stringMatching(rfc3339)]);
    }
    expect((await dead.list()).items).toEqual([]);
    expect(await dead.unreadable("?limit=1")).toHaveLength(1);
    // What came later has been handled, and they are still the same two.
    await makeDead(system, fatal, 1);
    expect(await dead.unreadable()).toEqual(items);
  },
  limitMs,
);

describe("bad input", () => {
  test(
    "is refused with what is wrong in it, and changes nothing",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      const [id = ""] = await makeDead(system, fatal, 1);
      const live = await system.accept({ type: "echo", delay: "1h" });
      const over = await dead.redriven({ ids: [newTaskId()] });
      const missing = newTaskId();
      const before = stored(running);

      const none = "";
      const refusals: [method: string, path: string, body: string, status: number, detail: RegExp][] = [
        ["GET", "?types=fail", none, 400, /"types"/],
        ["GET", "?type=a%20b", none, 400, /type: expected a task type/],
        ["GET", "?reason=bored", none, 400, /reason: .*"attempts_exhausted"/],
        ["GET", "?error=", none, 400, /error: /],
        ["GET", "?limit=0", none, 400, /limit: /],
        ["GET", "?limit=101", none, 400, /limit: /],
        ["GET", "?limit=1.5", none, 400, /limit: /],
        ["GET", "?limit=many", none, 400, /limit: /],
        ["GET", "?cursor=abc", none, 400, /cursor/],
        ["GET", `?cursor=${Buffer.from("1 or 1").toString("base64url")}`, none, 400, /cursor/],
        ["GET", "/unreadable?cursor=abc", none, 400, /"cursor"/],
        ["GET", "/unreadable?limit=0", none, 400, /limit: /],
        ["GET", `/${missing}`, none, 404, /no dead letter ".*"/],
        ["GET", `/${live.id}`, none, 404, /no dead letter ".*"/],
        ["GET", "/7", none, 404, /no dead letter "7"/],
        ["GET", `/${id}?verbose=1`, none, 400, /"verbose"/],
        ["POST", "/redrive", none, 400, /not JSON/],
        ["POST", "/redrive", "[]", 400, /object/],
        ["POST", "/redrive", "{}", 400, /either ids or filter/],
        ["POST", "/redrive", `{"ids":["${id}"],"filter":{}}`, 400, /either ids or filter/],
        ["POST", "/redrive", '{"ids":[]}', 400, /ids/],
        ["POST", "/redrive", '{"ids":["7"]}', 400, /ids\/0: expected a task id/],
        ["POST", "/redrive", JSON.stringify({ ids: Array(1001).fill(id) }), 400, /ids/],
        ["POST", "/redrive", '{"filter":{"typ":"fail"}}', 400, /filter\/typ: unknown field/],
        ["POST", "/redrive", '{"filter":{"reason":"unreadable"}}', 400, /filter\/reason/],
        ["POST", "/redrive", '{"filter":{},"rate":5}', 400, /rate: unknown field/],
        ["POST", "/redrive", '{"filter":{},"rate_per_second":0}', 400, /rate_per_second/],
        ["POST", "/redrive", '{"filter":{},"rate_per_second":-1}', 400, /rate_per_second/],
        ["POST", "/redrive", '{"filter":{},"rate_per_second":1e-30}', 400, /rate_per_second/],
        ["POST", "/redrive", '{"filter":{},"rate_per_second":1e9}', 400, /rate_per_second/],
        ["POST", "/redrive", '{"filter":{},"rate_per_second":"5"}', 400, /rate_per_second/],
        ["POST", "/redrive", '{"filter":{},"dry_run":1}', 400, /dry_run/],
        ["POST", "/redrive", '{"filter":{},"force":"yes"}', 400, /force/],
        ["POST", "/redrive", JSON.stringify({ filter: {}, reason: "r".repeat(1025) }), 400, /reason/],
        ["POST", "/redrive?dry_run=true", '{"filter":{}}', 400, /"dry_run"/],
        ["GET", `/redrives/${missing}`, none, 404, /no redrive ".*"/],
        ["GET", "/redrives/7", none, 404, /no redrive "7"/],
        ["POST", `/redrives/${missing}/pause`, none, 404, /no redrive ".*"/],
        ["POST", `/redrives/${over.id}/pause`, none, 409, /the redrive is completed already/],
        ["POST", `/redrives/${over.id}/resume`, none, 409, /the redrive is completed already/],
        ["POST", `/redrives/${over.id}/cancel`, none, 409, /the redrive is completed already/],
        ["POST", `/redrives/${over.id}/stop`, none, 404, /nothing at POST/],
        ["POST", `/redrives/${over.id}/cancel?now=1`, none, 400, /"now"/],
        ["POST", `/${id}/discard`, none, 400, /not JSON/],
        ["POST", `/${id}/discard`, "{}", 400, /reason/],
        ["POST", `/${id}/discard`, '{"reason":""}', 400, /reason/],
        ["POST", `/${id}/discard`, '{"reason":"seen","by":"me"}', 400, /by: unknown field/],
        ["POST", `/${missing}/discard`, '{"reason":"seen"}', 404, /no task ".*"/],
        ["POST", `/${live.id}/discard`, '{"reason":"seen"}', 409, /the task is scheduled, not dead/],
      ];
      const codes: Record<number, string> = { 400: "invalid_argument", 404: "not_found", 409: "conflict" };
      for (const [method, path, body, status, detail] of refusals) {
        const problem = await problemOf(await dead.ask(method, path, body || undefined));
        const told = { method, path, body, status: problem.status, code: problem.code, detail: problem.detail };
        expect(told).toEqual({ method, path, body, status, code: codes[status] ?? "", detail: problem.detail });
        expect(problem.detail).toMatch(detail);
      }
      expect(stored(running)).toEqual(before);
    },
    limitMs,
  );
});

describe("a redrive", () => {
  test(
    "that is a dry run counts, and changes nothing",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      const ids = await makeDead(system, fatal, 3);
      await makeDead(system, { type: "fail", max_attempts: 1 }, 2);
      const before = stored(running);
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
      expect(stored(running)).toEqual(before);
    },
    limitMs,
  );

  test(
    "by ids brings those back and no other; each runs again from attempt 1, in a new trace, with its history",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      // Answers 400, which is final, until it is mended.
      let status = 400;
      await using shop = serve(() => new Response("{}", { status }));
      const [id = "", other = ""] = await makeDead(system, { type: "http", payload: { url: shop.url } }, 2);
      const before = await system.task(id);
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
      expect(idsOf((await dead.list()).items)).toEqual([other]);
      expect(running.system.lines.filter(({ msg }) => msg === "redrive ordered")).toMatchObject([
        { redrive_id: redriveId, matched: 2, reason: "the shop is mended" },
      ]);
    },
    limitMs,
  );

  test(
    "by filter brings back what fits, the oldest death first; what dies again while it runs is not its own",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      const ids: string[] = [];
      // One after the other, so that the order of their deaths is known.
      for (let n = 0; n < 5; n++) ids.push(...(await makeDead(system, fatal, 1)));
      const [left = ""] = await makeDead(system, { type: "fail", max_attempts: 1 }, 1);
      const redrive = await dead.redriven({ filter: { reason: "fatal" }, rate_per_second: 10 });
      expect(redrive).toMatchObject({ status: "completed", matched: 5, moved: 5, failed: 0, reason: null });
      expect(returns(running).map(({ id }) => id)).toEqual(ids);
      await allDead(system, 6);
      expect(await dead.get(left)).toMatchObject({ redrives: 0 });
      for (const id of ids) expect(await dead.get(id)).toMatchObject({ redrives: 1, reason: "fatal" });
    },
    limitMs,
  );

  test(
    "of nothing has completed as it begins",
    async () => {
      await using running = await start();
      const redrive = await running.dead.order({ filter: {} });
      expect(redrive).toMatchObject({ status: "completed", matched: 0, moved: 0, failed: 0 });
      expect(redrive.ended_at).toBe(redrive.created_at);
    },
    limitMs,
  );

  test(
    "moves no task before its time at the rate asked for",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      await makeDead(system, fatal, 12);
      const redrive = await dead.redriven({ filter: {}, rate_per_second: 20 });
      expect(redrive).toMatchObject({ moved: 12, failed: 0 });
      const createdAtMs = Date.parse(redrive.created_at ?? "");
      // Two in each tenth of a second.
      const early = returns(running).filter(({ atMs }, n) => atMs < createdAtMs + Math.floor(n / 2) * 100);
      expect(early).toEqual([]);
    },
    limitMs,
  );

  test(
    "leaves a task that has come back dead three times where it is, unless it is forced",
    async () => {
      await using running = await start();
      const { system, dead } = running;
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
      await using running = await start();
      const { system, dead } = running;
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
      expect(returns(running)).toHaveLength(paused.moved + 1);

      expect(await dead.control(ordered, "resume")).toEqual({ ...paused, status: "running" });
      const ended = await dead.ended(ordered);
      expect(ended).toEqual({ ...paused, status: "completed", moved: 60, ended_at: ended.ended_at });
      expect(new Set(returns(running).map(({ id }) => id))).toEqual(new Set([...ids, beside]));
    },
    limitMs,
  );

  test(
    "that is canceled leaves the rest dead, and takes no further command",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      await makeDead(system, fatal, 40);
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
      expect(returns(running)).toHaveLength(canceled.moved);
    },
    limitMs,
  );

  test(
    "whose dlq dies in the middle goes on with the next one, and its counts add up",
    async () => {
      await using running = await start({ visibilityTimeout: "2s" });
      const { system, dead } = running;
      const ids = await makeDead(system, fatal, 60);
      const [discarded = ""] = ids;
      const ordered = await dead.order({ ids: ids.toReversed(), rate_per_second: 30 });
      await dead.moved(ordered, 6);
      system.system.crash("dlq");
      // One of the last, which nobody has come to yet.
      await dead.discard(discarded, "of no use any more");
      const ended = await dead.ended(ordered);
      expect(ended).toMatchObject({ status: "completed", matched: 60, moved: 59, failed: 1 });
      const returned = returns(running).map(({ id }) => id);
      expect(returned.sort()).toEqual(ids.slice(1).sort());
      // What was committed and not sent when it died is the sweeper's, half a minute later.
      await allDead(system, 59, 90_000);
      expect(await system.task(discarded)).toMatchObject({ status: "discarded" });
      expect(system.lines.filter(({ msg }) => msg === "a role's thread ended, it is started again")).toHaveLength(1);
    },
    limitMs,
  );

  test(
    "is counted in the metrics",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      const ids = await makeDead(system, fatal, 3);
      await dead.redriven({ ids: [...ids, newTaskId()] });
      await eventually(async () => {
        const series = parsePrometheus(await (await fetch(`${system.adminUrl}/metrics`)).text());
        const counted = series.filter(({ name }) => name === "task_redrives_total");
        const results = Object.fromEntries(counted.map(({ labels, value }) => [labels.result, value]));
        return Bun.deepEquals(results, { moved: 3, failed: 1 });
      });
    },
    limitMs,
  );
});

test(
  "a letter of an earlier death that comes late does not bury a task that was brought back",
  async () => {
    await using running = await start();
    const { system, dead } = running;
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

describe("a dead letter that is discarded", () => {
  test(
    "is gone from the list for good, and its task says why",
    async () => {
      await using running = await start();
      const { system, dead } = running;
      const [id = "", other = ""] = await makeDead(system, fatal, 2);
      const before = await system.task(id);
      const task = await dead.discard(id, "seen, of no use");
      expect(task).toEqual({ ...before, status: "discarded" });
      expect(await system.task(id, "60s")).toEqual(task);
      expect(idsOf((await dead.list()).items)).toEqual([other]);
      const { items } = await (await fetch(`${system.url}/v1/tasks/${id}/timeline`)).json();
      expect(items.at(-1)).toMatchObject({ from: "dead", to: "discarded", error: { message: "seen, of no use" } });

      expect(await problemOf(await dead.ask("GET", `/${id}`))).toMatchObject({ status: 404 });
      const again = await dead.ask("POST", `/${id}/discard`, '{"reason":"once more"}');
      const detail = "the task is discarded, not dead";
      expect(await problemOf(again)).toMatchObject({ status: 409, code: "conflict", detail });
      const redrive = await dead.redriven({ ids: [id] });
      expect(redrive).toMatchObject({ matched: 1, moved: 0, failed: 1 });
      expect(await system.task(id)).toEqual(task);
    },
    limitMs,
  );
});

function serve(answer: () => Response | Promise<Response>): AsyncDisposable & { url: string } {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: answer });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}

/**
 * Dead letters over HTTP on the running system: looked at, and put away. Long because bad
 * input is a table.
 */

import { afterEach, describe, expect, test } from "bun:test";
import { newTaskId } from "../../src/words/task-id.ts";
import { type DeadLetters, deadLettersAt, discardAll, makeDead } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { problemOf } from "../support/http-problem.ts";
import { sharedSystem } from "../support/shared-system.ts";
import { openSqsQueue } from "../support/sqs-queue.ts";
import type { TestSystem } from "../support/system.ts";

const limitMs = 120_000;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const fatal = { type: "fail", payload: { fatal: true } };

const running = sharedSystem({ retryBase: "1ms" });

function parts(): { system: TestSystem; dead: DeadLetters } {
  return { system: running(), dead: deadLettersAt(running().url) };
}

// The next test begins without dead letters.
afterEach(() => discardAll(running()), limitMs);

function idsOf(items: readonly { task: { id: string } }[]): string[] {
  return items.map(({ task }) => task.id);
}

/** All that dead letters and redrives could change. */
function stored(system: TestSystem): unknown[] {
  const tables = ["tasks", "tasks_timeline", "tasks_redrives", "tasks_unreadable"];
  return tables.map((table) => system.rows(`SELECT * FROM ${table} ORDER BY 1, 2`));
}

describe("the list", () => {
  test(
    "has dead tasks only, newest death first, in pages that later deaths do not shift",
    async () => {
      const { system, dead } = parts();
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
      const { system, dead } = parts();
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
    const { system, dead } = parts();
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
      group: expect.stringMatching(/^[0-9a-f]{12}$/),
    });
    expect(letter.died_at >= (task.ended_at ?? "none")).toBe(true);
    expect((await dead.list()).items).toEqual([letter]);
  },
  limitMs,
);

test(
  "groups show what tasks died of, and lead to all of them, and back to work",
  async () => {
    const { system, dead } = parts();
    const failing = (message: string) => ({ type: "fail", payload: { message, fatal: true } });
    const first = await makeDead(system, failing("order 17 of jane@example.com is gone"), 2);
    const other = await makeDead(system, failing("no such template"), 1);
    const before = new Date().toISOString();
    const [newest = ""] = await makeDead(system, failing("order 18 of bob@example.com is gone"), 1);

    const groups = await dead.groups();
    const letter = await dead.get(newest);
    expect(groups).toEqual([
      {
        group: letter.group,
        type: "fail",
        error: { type: "FatalError", message: "order <n> of <email> is gone" },
        count: 3,
        first_seen: expect.stringMatching(rfc3339),
        last_seen: letter.died_at,
        task_id: newest,
        trace_id: letter.trace_id,
      },
      expect.objectContaining({ error: { type: "FatalError", message: "no such template" }, count: 1 }),
    ]);
    expect((await dead.groups("?limit=1")).map(({ count }) => count)).toEqual([3]);
    expect((await dead.groups(`?since=${before}`)).map(({ count }) => count)).toEqual([1]);
    expect(await dead.groups("?type=echo")).toEqual([]);

    const { group } = letter;
    expect(idsOf((await dead.list(`?type=fail&group=${group}`)).items).sort()).toEqual([...first, newest].sort());
    expect(idsOf((await dead.list(`?group=${group}&until=${before}`)).items).sort()).toEqual([...first].sort());
    expect(await dead.count({ filter: { group, since: before } })).toMatchObject({ matched: 1 });
    expect(await dead.redriven({ filter: { group } })).toMatchObject({ matched: 3, moved: 3 });
    expect((await dead.groups()).flatMap(({ task_id: id }) => other.filter((it) => it === id))).toEqual(other);
  },
  limitMs,
);

test(
  "messages that name no task are shown as they were, and never come round again",
  async () => {
    const { system, dead } = parts();
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
      const { system, dead } = parts();
      const [id = ""] = await makeDead(system, fatal, 1);
      const live = await system.accept({ type: "echo", delay: "1h" });
      const over = await dead.redriven({ filter: { type: "nobody.has" } });
      const missing = newTaskId();
      const before = stored(system);

      const none = "";
      const refusals: [method: string, path: string, body: string, status: number, detail: RegExp][] = [
        ["GET", "?types=fail", none, 400, /"types"/],
        ["GET", "?type=a%20b", none, 400, /type: "a b": expected a task type/],
        ["GET", "?reason=bored", none, 400, /reason: .*"attempts_exhausted"/],
        ["GET", "?error=", none, 400, /error: /],
        ["GET", "?limit=0", none, 400, /limit: /],
        ["GET", "?limit=101", none, 400, /limit: /],
        ["GET", "?limit=1.5", none, 400, /limit: /],
        ["GET", "?limit=many", none, 400, /limit: /],
        ["GET", "?cursor=abc", none, 400, /cursor/],
        ["GET", `?cursor=${Buffer.from("1 or 1").toString("base64url")}`, none, 400, /cursor/],
        ["GET", "?group=abc", none, 400, /group: .*\/groups/],
        ["GET", "?since=yesterday", none, 400, /since: .*expected a time with a zone/],
        ["GET", "/groups?reason=fatal", none, 400, /"reason"/],
        ["GET", "/groups?limit=0", none, 400, /limit: /],
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
        ["POST", "/redrive", '{"filter":{"group":"all"}}', 400, /filter\/group/],
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
      expect(stored(system)).toEqual(before);
    },
    limitMs,
  );
});

describe("a dead letter that is discarded", () => {
  test(
    "is gone from the list for good, and its task says why",
    async () => {
      const { system, dead } = parts();
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
      const redrive = await dead.ask("POST", "/redrive", JSON.stringify({ ids: [id] }));
      expect(await problemOf(redrive)).toMatchObject({ status: 409, code: "conflict", detail });
      expect(await system.task(id)).toEqual(task);
    },
    limitMs,
  );
});

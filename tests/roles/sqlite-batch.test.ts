/** Many calls of the store in one transaction, some of which throw. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import fc from "fast-check";
import { SqliteConnection } from "../../src/store/sqlite/connection.ts";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { createSqliteTable, createTaskOperations } from "../../src/store/sqlite/tasks.ts";
import { startStoreThread } from "../support/sqlite-store.ts";
import { actorAt, newTask, t0 } from "../support/stored-tasks.ts";
import { tempFolder } from "../support/temp-folder.ts";

const insert = "INSERT INTO tasks_keys (key, digest, task_id, created_at) VALUES (?, 'd', 't', 0)";

/** What came of each of `count` inserts, those of `bad` throwing, and how many commits they were. */
async function runAll(count: number, bad: ReadonlySet<number>) {
  await using folder = await tempFolder();
  const connection = new SqliteConnection({ folder: folder.path, table: "tasks" });
  using reader = new DatabaseSync(join(folder.path, databaseFile));
  const committed = reader.prepare("SELECT count(*) AS count FROM tasks_keys");
  const seen = new Set<unknown>();
  const numbers = Array.from({ length: count }, (_, number) => number);
  const ran = connection.runBatch(numbers, (number) => {
    seen.add(committed.get()?.count);
    connection.run(insert, `key ${number}`);
    if (bad.has(number)) throw new Error(`bad ${number}`);
    return number;
  });
  const results = ran.map((result) => (result.kind === "done" ? result.value : String(result.error)));
  const rows = Number(committed.get()?.count);
  connection.close();
  return { results, rows, commits: seen.size };
}

test.each([
  ["none", [], 1],
  ["the first", [0], 11],
  ["one in the middle", [517], 11],
  ["the last", [999], 11],
])("of a thousand calls, with %s throwing, all others are committed with few commits", async (_, bad, mostCommits) => {
  const { rows, commits } = await runAll(1000, new Set(bad));
  expect(rows).toBe(1000 - bad.length);
  expect(commits).toBeLessThanOrEqual(mostCommits);
});

test("a call that throws spoils no other, whichever throw", async () => {
  const numbers = fc.integer({ min: 1, max: 40 });
  await fc.assert(
    fc.asyncProperty(numbers, fc.uniqueArray(fc.nat(39)), async (count, bad) => {
      const throwing = new Set(bad.filter((number) => number < count));
      const { results, rows } = await runAll(count, throwing);
      expect(results.map(String)).toEqual(
        Array.from({ length: count }, (_, n) => (throwing.has(n) ? expect.stringContaining(`bad ${n}`) : String(n))),
      );
      expect(rows).toBe(count - throwing.size);
    }),
    { numRuns: 20 },
  );
});

test("a disk that fills in the middle of a batch refuses what is new from then on, and nothing else", async () => {
  await using folder = await tempFolder();
  const connection = new SqliteConnection({ folder: folder.path, table: "tasks" });
  let room = 2;
  const { create, get } = createTaskOperations(createSqliteTable(connection, "tasks"), () => --room < 0);
  const tasks = ["a", "b", "a", "c", "b"].map((key) => newTask({ idempotency: { key, digest: "d" } }));
  const results = connection.runBatch(tasks, (task) => create({ task, actor: actorAt(t0) }));
  const kinds = results.map((result) => (result.kind === "done" ? result.value.kind : result.kind));
  expect(kinds).toEqual(["created", "created", "replayed", "no_room", "replayed"]);
  expect(tasks.map(({ id }) => get(id)?.status)).toEqual(["queued", "queued", undefined, undefined, undefined]);
  connection.close();
});

test("a row that cannot be read fails its own claim, and spoils no other of the same call", async () => {
  await using folder = await tempFolder();
  await using thread = await startStoreThread(folder.path);
  const store = await thread.connect();
  const tasks = [newTask({}), newTask({}), newTask({})];
  await store.create(tasks.map((task) => ({ task, actor: actorAt(t0), context: ROOT_CONTEXT })));
  using other = new DatabaseSync(join(folder.path, databaseFile));
  other.prepare("UPDATE tasks SET metadata = '{' WHERE id = ?").run(tasks[1]?.id ?? "");
  const results = await store.claim(
    tasks.map(({ id }) => ({ id, worker: "w1", leaseMs: 30_000, actor: actorAt(t0 + 1), context: ROOT_CONTEXT })),
  );
  const kinds = results.map((result) => (result.kind === "done" ? result.value.kind : result.error.code));
  expect(kinds).toEqual(["won", "internal", "won"]);
});

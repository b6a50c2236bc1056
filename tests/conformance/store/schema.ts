/** A data folder outlives the program that wrote it: an older one is brought up to date whole, a newer one is refused. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { databaseFile, migrations } from "../../../src/store/sqlite/schema.ts";
import { deadGroupOf } from "../../../src/words/dead-group.ts";
import { redrivesIn } from "../../support/redrives.ts";
import { rejectionOf } from "../../support/rejection.ts";
import { startStoreThread } from "../../support/sqlite-store.ts";
import { leaseMs, newTask, t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, endMs, failed, type Kept, keptOf, retrying, smtpError, succeeded } from "../../support/task-states.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const hourMs = 3_600_000;
const firstTables = ["tasks", "tasks_timeline", "tasks_keys", "tasks_unreadable", "tasks_types"];
const firstStatuses = ["scheduled", "queued", "running", "retrying", "succeeded", "failed", "dead"] as const;
const letter = { messageId: "m1", body: "not ours", attributes: {}, reason: "unreadable", atMs: t0 };
const type = { type: "echo", maxAttempts: 2, timeoutMs: 1, isolation: "exclusive", payloadSchema: null } as const;
const idempotency = { key: "order 17", digest: "d1" };

function openFile(folder: string): DatabaseSync {
  return new DatabaseSync(join(folder, databaseFile));
}

/** A fresh file of the schema's first version. */
function createFirst(folder: string): DatabaseSync {
  const db = openFile(folder);
  db.exec(migrations[0]?.("tasks") ?? "");
  db.exec("PRAGMA user_version = 1");
  return db;
}

/** Everything that is in the file. */
function contentOf(db: DatabaseSync): unknown {
  const objects = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").all();
  const tables = objects.filter((object) => object.type === "table").map(({ name }) => String(name));
  const rows = tables.map((name) => db.prepare(`SELECT * FROM ${name}`).all());
  return { version: db.prepare("PRAGMA user_version").get(), objects, rows };
}

/** The tasks of a folder as the first version kept them: what has come since was not there. */
function copyAsFirst(from: string, to: string): void {
  using db = createFirst(to);
  db.prepare("ATTACH ? AS newest").run(join(from, databaseFile));
  for (const table of firstTables) {
    const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
    const names = columns.map(({ name }) => String(name)).join(", ");
    db.exec(`INSERT INTO ${table} (${names}) SELECT ${names} FROM newest.${table}`);
  }
}

interface Written {
  /** In the order of `firstStatuses`. */
  ids: string[];
  /** Queued, and the broker had confirmed its message. */
  sent: string;
  kept: Kept[];
}

/** Writes a task in each state, and what else was kept, into a folder of the first version. */
async function writeFirst(folder: string): Promise<Written> {
  await using newest = await tempFolder();
  await using thread = await startStoreThread(newest.path);
  const store = await thread.connect();
  const tasks = tasksIn(store);
  const ids: string[] = [];
  for (const status of firstStatuses) ids.push(await bring(tasks, status));
  const { id: sent } = await tasks.create({ idempotency });
  await tasks.markSent(sent);
  await store.keepUnreadable(letter, ROOT_CONTEXT);
  await store.registerTypes([type], ROOT_CONTEXT);
  const kept = await Promise.all([...ids, sent].map((id) => keptOf(tasks, id)));
  copyAsFirst(newest.path, folder);
  return { ids, sent, kept };
}

export function describeSchema(): void {
  describe("a SQLite file of an older version", () => {
    test("opens with everything that was in it, also in several processes at once", async () => {
      await using folder = await tempFolder();
      const { ids, sent, kept } = await writeFirst(folder.path);
      const threads = await Promise.all([1, 2, 3].map(() => startStoreThread(folder.path)));
      const [store, ...others] = await Promise.all(threads.map((thread) => thread.connect()));
      if (!store) throw new Error("no thread was started");
      for (const line of [store, ...others]) {
        expect(await Promise.all([...ids, sent].map((id) => keptOf(tasksIn(line), id)))).toEqual(kept);
      }
      expect(await store.listTypes(ROOT_CONTEXT)).toEqual([type]);
      expect(await store.listUnreadable(10, ROOT_CONTEXT)).toEqual([letter]);
      const replayed = await tasksIn(store).tryCreate(newTask({ idempotency }));
      expect<unknown>(replayed).toEqual({ kind: "replayed", task: kept.at(-1)?.task });
      await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
      using db = openFile(folder.path);
      expect(db.prepare("PRAGMA user_version").get()).toEqual({ user_version: migrations.length });
    });

    test("goes on where it was: what waits is sent, what runs ends, what is dead comes back", async () => {
      await using folder = await tempFolder();
      const { ids, sent } = await writeFirst(folder.path);
      const [scheduled = "", queued = "", running = "", retried = "", done = "", lost = "", dead = ""] = ids;
      await using thread = await startStoreThread(folder.path);
      const store = await thread.connect();
      const [tasks, redrives] = [tasksIn(store), redrivesIn(store)];

      expect(await tasks.extend([{ id: running, claim: 1 }], endMs)).toEqual(["kept"]);
      expect(await tasks.cancel(running, endMs)).toMatchObject({ kind: "requested" });
      expect(await tasks.finish(running, 1, retrying, endMs + leaseMs)).toBe(true);
      expect(await tasks.get(running)).toMatchObject({ status: "canceled", redrives: 0, redrivenFrom: null });
      expect(new Set(await tasks.due(t0 + hourMs))).toEqual(new Set([scheduled, queued, retried, lost]));
      expect(await tasks.claim(done, t0 + hourMs)).toEqual({ kind: "ended", status: "succeeded" });
      expect((await tasks.win(retried, t0 + hourMs)).task.attempt).toBe(2);
      for (const id of [scheduled, queued, sent]) await tasks.win(id, t0 + hourMs);
      expect(await tasks.finish(queued, 1, succeeded, t0 + hourMs)).toBe(true);
      expect(await tasks.finish(scheduled, 1, failed, t0 + hourMs)).toBe(true);

      await tasks.die(lost, "fatal", t0 + hourMs);
      expect((await redrives.list()).map(({ task }) => task.id)).toEqual([lost, dead]);
      await redrives.start(t0 + hourMs);
      expect(await redrives.run(t0 + hourMs)).toEqual([dead, lost]);
      expect((await tasks.win(dead, t0 + hourMs)).task).toMatchObject({ attempt: 1, redrives: 1 });
    });

    test("has its dead letters grouped, as those that die from now on", async () => {
      await using folder = await tempFolder();
      await writeFirst(folder.path);
      await using thread = await startStoreThread(folder.path);
      const store = await thread.connect();
      await bring(tasksIn(store), "dead");
      const groups = await store.deadGroups({ kind: "filter" }, 10, ROOT_CONTEXT);
      expect(groups.map(({ count, group }) => [count, group])).toEqual([[2, deadGroupOf(smtpError)]]);
    });

    test("has its sent tasks found when the broker loses them", async () => {
      await using folder = await tempFolder();
      const { sent } = await writeFirst(folder.path);
      await using thread = await startStoreThread(folder.path);
      const store = await thread.connect();
      expect(await store.countWaiting(t0 + 1)).toBe(1);
      expect(await store.resendWaiting(t0 + 1, 10, t0 + 1)).toBe(1);
      expect(await tasksIn(store).due(t0 + 1)).toEqual([sent]);
    });

    test("that cannot be brought up to date stays as it is", async () => {
      await using folder = await tempFolder();
      await writeFirst(folder.path);
      using db = openFile(folder.path);
      // In the way of what the second version makes last.
      db.exec("CREATE TABLE tasks_redrives (mine TEXT)");
      const before = contentOf(db);
      expect(await rejectionOf(startStoreThread(folder.path))).toMatchObject({
        message: expect.stringContaining("tasks_redrives already exists"),
      });
      expect(contentOf(db)).toEqual(before);
      db.exec("DROP TABLE tasks_redrives");
      await (await startStoreThread(folder.path))[Symbol.asyncDispose]();
      expect(db.prepare("PRAGMA user_version").get()).toEqual({ user_version: migrations.length });
    });
  });

  describe("a SQLite file of a newer version", () => {
    test("is refused, and left as it is", async () => {
      await using folder = await tempFolder();
      await writeFirst(folder.path);
      await (await startStoreThread(folder.path))[Symbol.asyncDispose]();
      using db = openFile(folder.path);
      db.exec("PRAGMA user_version = 99");
      const before = contentOf(db);
      expect(await rejectionOf(startStoreThread(folder.path))).toMatchObject({
        code: "unavailable",
        message: expect.stringMatching(/^the data folder was written by a newer version \(schema 99; .* knows \d+\)$/),
      });
      expect(contentOf(db)).toEqual(before);
    });
  });
}

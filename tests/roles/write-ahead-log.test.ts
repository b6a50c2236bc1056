/** The store's write-ahead log while another program reads the database: it grows, says so, and shrinks by itself. */

import { describe, expect, test } from "bun:test";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { logLevelsOf } from "../../src/settings/parsers.ts";
import { SqliteConnection } from "../../src/store/sqlite/connection.ts";
import { databaseFile, largeLogBytes, logBytes, usualLogBytes } from "../../src/store/sqlite/schema.ts";
import { watchWriteAheadLog } from "../../src/supervisor/watches.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { onlyValue } from "../../src/words/entry-result.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startTestMeter } from "../support/test-meter.ts";

/** Commits twelve megabytes. */
function write(connection: SqliteConnection): void {
  const insert = "INSERT OR REPLACE INTO tasks_keys (key, digest, task_id, created_at) VALUES (?, ?, ?, 0)";
  for (let number = 0; number < 12; number++) {
    const text = "x".repeat(1024 * 1024);
    onlyValue(connection.runBatch([text], () => connection.run(insert, `key ${number}`, text, "task")));
  }
}

describe("a long read of the database", () => {
  test("lets the log grow; afterwards it is emptied, at once without a commit", async () => {
    await using folder = await tempFolder();
    const connection = new SqliteConnection({ folder: folder.path, table: "tasks" });
    using reader = new DatabaseSync(join(folder.path, databaseFile));
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM tasks").get();
    write(connection);
    connection.shrinkLog();
    expect(logBytes(folder.path)).toBeGreaterThan(usualLogBytes);
    reader.exec("COMMIT");
    connection.shrinkLog();
    expect(logBytes(folder.path)).toBe(0);
    connection.close();
  });

  test("lets it grow; afterwards it is cut by the commits that follow", async () => {
    await using folder = await tempFolder();
    const connection = new SqliteConnection({ folder: folder.path, table: "tasks" });
    using reader = new DatabaseSync(join(folder.path, databaseFile));
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM tasks").get();
    write(connection);
    write(connection);
    const grownBytes = logBytes(folder.path);
    reader.exec("COMMIT");
    write(connection);
    expect(grownBytes).toBeGreaterThan(2 * usualLogBytes);
    expect(logBytes(folder.path)).toBeLessThan(2 * usualLogBytes);
    connection.close();
  });
});

test("a large log is told once, as is its end, and its size is a metric", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, `${databaseFile}-wal`);
  const lines: unknown[] = [];
  const log = createLogger({
    service: "throughline",
    levels: logLevelsOf("info"),
    writeLine: (line) => {
      const { level, msg, bytes } = JSON.parse(line);
      lines.push([level, msg, bytes]);
    },
    otlp: undefined,
    context: ROOT_CONTEXT,
  });
  const clock = createFakeClock();
  const stopping = new AbortController();
  const { meter, samples } = startTestMeter("throughline");
  const watching = watchWriteAheadLog({ folder: folder.path, meter, log, clock }, stopping.signal);
  for (const bytes of [usualLogBytes, largeLogBytes + 1, 3 * largeLogBytes, usualLogBytes + 1, 100]) {
    await Bun.write(path, "");
    await truncate(path, bytes);
    await clock.advance(10_000);
  }
  expect(lines).toEqual([
    ["warn", "the write-ahead log grows while a program reads the database in one long transaction", largeLogBytes + 1],
    ["info", "the write-ahead log has its usual size again", 100],
  ]);
  expect((await samples()).filter((line) => line.includes("wal_size"))).toEqual([expect.stringMatching(/ 100$/)]);
  stopping.abort();
  await watching;
});

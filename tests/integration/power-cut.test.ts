/**
 * The power goes at any instant: what is on disk then opens, is whole, and has every task that was answered with 202.
 * The instants are those of a running system under load, stopped for as long as it takes to copy its files; what such a
 * copy can and cannot show is said in tests/support/data-picture.ts.
 */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import {
  type CutPicture,
  cutPictures,
  type DataPicture,
  isSameLog,
  takePicture,
  writePicture,
} from "../support/data-picture.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { describeUnless } from "../support/requires.ts";
import { type Accepted, startLoad } from "../support/steady-load.ts";
import { whileStopped, whyNotStoppable } from "../support/stopped-process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 240_000;
const table = "tasks";
const pictureCount = 25;
/** Between two pictures: few enough that the log is mostly the same one, whose cuts show more. */
const acceptedBetween = 12;

/** Half of them need a second attempt, so that claims, retries and outcomes are written all the time. */
function bodyOf(number: number): { type: string; payload: unknown } {
  if (number % 2 === 0) return { type: "flaky", payload: { failures: 1 } };
  return { type: "echo", payload: { number, text: "x".repeat(number) } };
}

const flags = [...freePorts, "--retry-base=50ms", "--visibility-timeout=2s"];

describeUnless(whyNotStoppable)("a power cut under load", () => {
  test(
    "leaves files that open, are whole, and have every task that was answered before",
    async () => {
      await using folder = await tempFolder();
      const dataDir = join(folder.path, "data");
      await using throughline = await startThroughline([...flags, `--data-dir=${dataDir}`]);
      const load = startLoad(throughline.addresses.gateway_url, { callers: 4, bodyOf });
      const pictures = await takePictures(throughline.pid, dataDir, load.accepted);
      await load.stop();
      throughline.kill("SIGKILL");
      await throughline.exited;

      let sameLogs = 0;
      for (const [n, now] of pictures.entries()) {
        const before = pictures[n - 1];
        if (before && isSameLog(before, now)) sameLogs += 1;
        const cuts = before ? cutPictures(before, now) : [];
        for (const cut of [{ ...now, cut: "nothing lost" }, ...cuts]) await check(cut, load.accepted);
      }
      // Else the cuts would have shown nothing but that an old database opens.
      expect(sameLogs).toBeGreaterThanOrEqual(pictureCount / 4);

      const [before, now] = pictures.slice(-2);
      if (!before || !now) throw new Error("there are no two pictures");
      const started = [now, cutPictures(before, now)[1] ?? before];
      for (const picture of started) await runToTheEnd(picture, load.accepted);
    },
    limitMs,
  );

  test("finds that commits wait for the disk", async () => {
    await using folder = await tempFolder();
    const { connection } = openSqlite({ folder: folder.path, table });
    // 2 is FULL: a commit in the log is synced before it is over.
    expect(connection.durability()).toEqual({ journalMode: "wal", synchronous: 2 });
    connection.close();
  });
});

async function takePictures(pid: number, dataDir: string, accepted: readonly Accepted[]): Promise<DataPicture[]> {
  const pictures: DataPicture[] = [];
  while (pictures.length < pictureCount) {
    const goal = accepted.length + acceptedBetween;
    await eventually(() => accepted.length >= goal, { timeoutMs: 60_000, intervalMs: 1 });
    // Answers that are read from here on count for the next picture.
    const { length } = accepted;
    pictures.push(await whileStopped(pid, () => takePicture(dataDir, length)));
  }
  return pictures;
}

/** Opens it as the product does, and reads all that must be there. */
async function check(picture: CutPicture, accepted: readonly Accepted[]): Promise<void> {
  await using folder = await tempFolder();
  await writePicture(picture, folder.path);
  openSqlite({ folder: folder.path, table }).connection.close();
  using db = new DatabaseSync(join(folder.path, databaseFile));
  const payloads = new Map(
    db
      .prepare(`SELECT id, payload FROM ${table}`)
      .all()
      .map((row) => [row.id, row.payload]),
  );
  const answered = accepted.slice(0, picture.accepted);
  expect({
    cut: picture.cut,
    integrity: db
      .prepare("PRAGMA integrity_check")
      .all()
      .map((row) => row.integrity_check),
    missing: answered.filter(({ id, payload }) => payloads.get(id) !== payload),
  }).toEqual({ cut: picture.cut, integrity: ["ok"], missing: [] });
}

/** Starts the real system on it, and waits until every task in it has ended, and a new one too. */
async function runToTheEnd(picture: DataPicture, accepted: readonly Accepted[]): Promise<void> {
  await using folder = await tempFolder();
  await writePicture(picture, folder.path);
  await using throughline = await startThroughline([...flags, `--data-dir=${folder.path}`]);
  using db = new DatabaseSync(join(folder.path, databaseFile), { readOnly: true });
  const statuses = () => db.prepare(`SELECT id, status FROM ${table}`).all();
  const api = httpApi(throughline.addresses.gateway_url);
  const later = await api.submit({ type: "echo" });
  expect(await api.ended(later.id)).toMatchObject({ status: "succeeded" });
  await eventually(() => statuses().every(({ status }) => status === "succeeded"), { timeoutMs: 60_000 });
  const ended = new Set(statuses().map(({ id }) => id));
  expect(accepted.slice(0, picture.accepted).filter(({ id }) => !ended.has(id))).toEqual([]);
  expect(await throughline.stop()).toBe(0);
}

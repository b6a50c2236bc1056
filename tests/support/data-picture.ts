/**
 * What a data folder holds at one instant, and what a power cut at that instant could have left of it.
 *
 * A picture holds everything that was written, also what only the kernel's cache has. A power cut may lose of that what
 * no sync has waited for, in any order. So beside the picture itself there are the worst cases that its past allows: a
 * log without what came after the picture before it and was not synced for a checkpoint, cut or garbled from any byte on,
 * and a database without some of the pages written since. The `-shm` file is not written again: it never outlives a crash.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { readLog, syncedForCheckpoint } from "./write-ahead-log.ts";

export interface DataPicture {
  database: Uint8Array;
  log: Uint8Array;
  /** How much of the log is synced at least, in bytes, because pages of it may be in the database. */
  syncedBytes: number;
  /** How many tasks had been answered with 202 before it was taken: the first ones of the load. */
  accepted: number;
}

/** A picture after a power cut: what is left, and how much of the load must be in it. */
export interface CutPicture extends DataPicture {
  /** What was done to it. */
  cut: string;
}

const pageBytes = 4096;

/** The process that writes there must stand still. */
export async function takePicture(folder: string, accepted: number): Promise<DataPicture> {
  const database = await Bun.file(join(folder, databaseFile)).bytes();
  const log = await Bun.file(join(folder, `${databaseFile}-wal`)).bytes();
  const index = await Bun.file(join(folder, `${databaseFile}-shm`)).bytes();
  return { database, log, syncedBytes: syncedForCheckpoint(log, index), accepted };
}

/** Makes a data folder of it. */
export async function writePicture({ database, log }: DataPicture, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Bun.write(join(folder, databaseFile), database);
  await Bun.write(join(folder, `${databaseFile}-wal`), log);
}

/** Whether the log was not begun anew between the two. */
export function isSameLog(before: DataPicture, now: DataPicture): boolean {
  return readLog(before.log).salt === readLog(now.log).salt;
}

/**
 * What a power cut could have left of `now`. What was committed at `before` was synced: its end of the log stands. When
 * the log was begun anew since, all of it is in the database, synced, and nothing of the new log has to stand but what a
 * checkpoint has waited for.
 */
export function cutPictures(before: DataPicture, now: DataPicture): CutPicture[] {
  const kept = { database: now.database, syncedBytes: now.syncedBytes, accepted: before.accepted };
  const firstByte = Math.max(now.syncedBytes, isSameLog(before, now) ? readLog(before.log).endBytes : 0);
  const cutAt = (offset: number): CutPicture => ({
    ...kept,
    cut: `log cut at ${offset}`,
    log: now.log.slice(0, offset),
  });
  const offsets = [firstByte, ...Array.from({ length: 3 }, () => between(firstByte, now.log.length))];
  return [...offsets.map(cutAt), { ...kept, ...garble(now.log, firstByte) }, ...lostPages(before, now)];
}

/** Random bytes from somewhere behind `firstByte` to the end of what was written, or only some way on. */
function garble(log: Uint8Array, firstByte: number): Pick<CutPicture, "cut" | "log"> {
  const start = between(firstByte, readLog(log).endBytes);
  const end = between(start, log.length);
  const garbled = log.slice();
  for (let at = start; at < end; at++) garbled[at] = between(0, 255);
  return { cut: `log garbled from ${start} to ${end}`, log: garbled };
}

/**
 * Pages that a checkpoint has written since `before` and not synced: each may be the old one, or empty when there was
 * none. The log has them all until it is begun anew, so nothing at all may be missing then.
 */
function lostPages(before: DataPicture, now: DataPicture): CutPicture[] {
  if (!isSameLog(before, now)) return [];
  const database = now.database.slice();
  for (let at = 0; at < database.length; at += pageBytes) {
    if (Math.random() < 0.5) continue;
    const end = Math.min(at + pageBytes, database.length);
    database.fill(0, at, end);
    database.set(before.database.subarray(at, end), at);
  }
  return [{ ...now, cut: "pages of the database lost", database }];
}

/** A whole number, both ends included. */
function between(low: number, high: number): number {
  return low + Math.floor(Math.random() * (high - low + 1));
}

/**
 * The size of SQLite's write-ahead log. Checkpoints keep it at a few megabytes, unless a reader needs what it holds: it
 * then grows with each commit until that reader ends its transaction.
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import { databaseFile } from "./sql.ts";

/** Twice what SQLite's own checkpoints let it grow to: a log that is larger is emptied. */
export const usualLogBytes = 8 * 1024 * 1024;
/** A log of this size is worth a line: each read has to look through more of it, and it fills the disk. */
export const largeLogBytes = 64 * 1024 * 1024;
/** How often it is looked at. */
export const lookAtLogEveryMs = 5000;

/** Of the database in this folder; 0 when there is none. */
export function logBytes(folder: string): number {
  try {
    return statSync(join(folder, `${databaseFile}-wal`), { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}

/**
 * The lock of a data folder: one process at a time runs the embedded broker of it. The kernel releases the lock, however
 * the process ends.
 */

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TaskError, toTaskError } from "../words/errors.ts";

/** The file of a data folder that is locked. It stays empty. */
export const lockFileName = "broker.lock";

/** Holds the lock until it is closed. Throws `TaskError` `unavailable` when another process has it. */
export function lockFolder(folder: string): DatabaseSync {
  mkdirSync(folder, { recursive: true });
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, lockFileName), { timeout: 0 });
    lock.exec("PRAGMA locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    throw toLockError(folder, cause);
  }
}

/** Whether a process holds the lock. Changes nothing; throws what `lockFolder` would when the file cannot be locked. */
export function isFolderLocked(folder: string): boolean {
  const path = join(folder, lockFileName);
  if (!existsSync(path)) return false;
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    lock.prepare("SELECT count(*) FROM sqlite_schema").get();
    return false;
  } catch (cause) {
    if (isTaken(cause)) return true;
    throw toLockError(folder, cause);
  } finally {
    lock?.close();
  }
}

function isTaken(cause: unknown): boolean {
  return cause instanceof Error && cause.message.includes("locked");
}

function toLockError(folder: string, cause: unknown): TaskError {
  const why = isTaken(cause)
    ? "is run by another process"
    : `cannot lock its file "${lockFileName}": ${toTaskError(cause).message}`;
  return new TaskError("unavailable", `the embedded queue of "${folder}" ${why}`, { cause });
}

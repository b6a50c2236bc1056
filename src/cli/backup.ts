/**
 * `throughline backup`: copies the database while it is written to. `VACUUM INTO` reads one state of it, that of the
 * moment at which it begins, so that commits of others neither wait for it nor make it begin anew. The copy gets its
 * name when it is whole and on the disk; a backup that fails or is interrupted leaves nothing.
 */

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Config } from "../config.ts";
import { databaseFile, logBytes } from "../store/sqlite/schema.ts";
import { startLinkedThread } from "../threads/thread-link.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { refuseTarget } from "./backup-target.ts";
import { exitCodes } from "./exit-codes.ts";
import { stopSignal } from "./stop-signal.ts";

export interface BackupOptions {
  file: string;
  mayReplace: boolean;
}

/** Left free on the disk of the copy, which may be that of the data folder. */
const reserveBytes = 32 * 1024 * 1024;
const mebibyte = 1024 * 1024;

/** Gives the exit code: 1 when a signal has interrupted it. Rejects with what to do when it cannot be made. */
export async function backUp(config: Config, { file, mayReplace }: BackupOptions): Promise<number> {
  const source = sourceOf(config);
  const target = resolve(file);
  refuseTarget(source, target, mayReplace);
  refuseFullDisk(source, target);
  const partial = join(dirname(target), `.${basename(target)}.${process.pid}.partial`);
  const startMs = performance.now();
  try {
    const isWhole = await copy(source, partial);
    if (!isWhole) {
      process.stderr.write("the backup was interrupted, nothing is left of it\n");
      return exitCodes.failed;
    }
    await chmod(partial, statSync(source).mode & 0o777);
    sync(partial);
    // What came to be there meanwhile is not replaced either.
    refuseTarget(source, target, mayReplace);
    renameSync(partial, target);
    sync(dirname(target));
  } catch (cause) {
    if (cause instanceof TaskError && cause.code === "invalid_argument") throw cause;
    throw new TaskError("unavailable", `the backup to "${file}" failed: ${toFailure(cause).message}`, { cause });
  } finally {
    for (const suffix of ["", "-journal"]) rmSync(`${partial}${suffix}`, { force: true });
  }
  const megabytes = (statSync(target).size / mebibyte).toFixed(1);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  process.stdout.write(`${file}: ${megabytes} MiB, copied in ${seconds} s\n`);
  return exitCodes.done;
}

function sourceOf({ store, table, dataDir }: Config): string {
  if (store === "dynamodb") {
    const command = `aws dynamodb create-backup --table-name ${table} --backup-name NAME`;
    const message = `--store: the tasks are in the DynamoDB table "${table}", which AWS backs up: ${command}, or point-in-time recovery`;
    throw new TaskError("invalid_argument", message);
  }
  const source = resolve(dataDir, databaseFile);
  if (existsSync(source)) return source;
  throw new TaskError(
    "invalid_argument",
    `--data-dir: "${dataDir}" has no ${databaseFile}, name the data folder of the system`,
  );
}

function refuseFullDisk(source: string, target: string): void {
  const neededBytes = statSync(source).size + logBytes(dirname(source));
  const { bavail, bsize } = statfsSync(dirname(target));
  const freeBytes = bavail * bsize;
  // A file system that does not tell its size is tried.
  if (freeBytes === 0 || freeBytes >= neededBytes + reserveBytes) return;
  const [needed, free] = [neededBytes, freeBytes].map((bytes) => Math.ceil(bytes / mebibyte));
  const message = `the copy may need ${needed} MiB and leave 32 free, the disk of "${dirname(target)}" has ${free} MiB, name another disk`;
  throw new TaskError("unavailable", message);
}

/** In a thread: this one stays free for a signal. False: one came first. */
async function copy(source: string, partial: string): Promise<boolean> {
  const ended = Promise.withResolvers<never>();
  const thread = startLinkedThread("backup", "backup", {}, (reason) =>
    ended.reject(new TaskError("internal", `the copying thread ended: ${reason}`)),
  );
  try {
    const copied = thread.link.ask<void>("copy", { source, target: partial }).then(() => true);
    const stopped = stopSignal(() => {}).then(() => false);
    return await Promise.race([copied, stopped, ended.promise]);
  } finally {
    thread.terminate();
  }
}

/** Waits until the disk has it. SQLite leaves that to its caller: lang_vacuum.html, "VACUUM with an INTO clause". */
function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

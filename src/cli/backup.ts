/**
 * `throughline backup`: copies the database while it is written to. `VACUUM INTO` reads one state of it, that of the
 * moment at which it begins, so that commits of others neither wait for it nor make it begin anew. The copy gets its
 * name when it is whole and on the disk; a backup that fails or is interrupted leaves nothing.
 *
 * Never writes on what it would destroy. With `--force` it replaces a regular file or a symbolic link; never a file of
 * the data folder, by whatever path or link, nor a device, nor a database that is open.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
} from "node:fs";
import { chmod } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type Config, readConfig } from "../config.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { exitCodes, stopSignal } from "./exit.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";

interface BackupFlags extends SettingFlags {
  force?: true;
}

export const addBackup: AddCommand = (program, end) => {
  const command = program
    .command("backup")
    .argument("<file>", "where the copy is written")
    .description("copy the database with every task, also while the system runs")
    .option("--force", "replace the file when it exists");
  withSettings(command).action(async (file: string, { force, ...flags }: BackupFlags) => {
    end(await backUp(readConfig(flags).config, { file, mayReplace: force === true }));
  });
  withExamples(
    command,
    ["throughline backup /backups/throughline.db", "a copy of what was accepted until now"],
    ["throughline backup --data-dir=/data --force /backups/latest.db", "of another data folder, again and again"],
  );
};

interface BackupOptions {
  file: string;
  mayReplace: boolean;
}

/** Left free on the disk of the copy, which may be that of the data folder. */
const reserveBytes = 32 * 1024 * 1024;
const mebibyte = 1024 * 1024;

/** Gives the exit code: 1 when a signal has interrupted it. Rejects with what to do when it cannot be made. */
async function backUp(config: Config, { file, mayReplace }: BackupOptions): Promise<number> {
  const [{ databaseFile, logBytes }, { telemetryFileName }, { lockFileName }] = await Promise.all([
    import("../store/sqlite/schema.ts"),
    import("../console/telemetry-database.ts"),
    import("../broker/folder-lock.ts"),
  ]);
  const source = sourceOf(config, databaseFile);
  const target = resolve(file);
  const rules = { mayReplace, ownNames: [databaseFile, telemetryFileName, lockFileName] };
  refuseTarget(source, target, rules);
  refuseFullDisk(statSync(source).size + logBytes(dirname(source)), target);
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
    // A file that appeared meanwhile is not replaced either.
    refuseTarget(source, target, rules);
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

function sourceOf({ store, table, dataDir }: Config, databaseFile: string): string {
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

function refuseFullDisk(neededBytes: number, target: string): void {
  const { bavail, bsize } = statfsSync(dirname(target));
  const freeBytes = bavail * bsize;
  // Zero: the file system does not report its size.
  if (freeBytes === 0 || freeBytes >= neededBytes + reserveBytes) return;
  const [needed, free] = [neededBytes, freeBytes].map((bytes) => Math.ceil(bytes / mebibyte));
  const message = `the copy may need ${needed} MiB and leave 32 free, the disk of "${dirname(target)}" has ${free} MiB, name another disk`;
  throw new TaskError("unavailable", message);
}

interface TargetRules {
  mayReplace: boolean;
  /** Of the files in a data folder. */
  ownNames: readonly string[];
}

/** Throws `TaskError` `invalid_argument`. `source` is the database; `target` is absolute, as `source` is. */
function refuseTarget(source: string, target: string, rules: TargetRules): void {
  const why = problemOf(source, target, rules);
  if (why !== undefined) throw new TaskError("invalid_argument", `"${target}" ${why}`);
}

function problemOf(source: string, target: string, { mayReplace, ownNames }: TargetRules): string | undefined {
  const folder = dirname(target);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    return `cannot be written: there is no folder "${folder}", make it first`;
  }
  const entry = lstatSync(target, { throwIfNoEntry: false });
  const isLink = entry?.isSymbolicLink() === true;
  // A link that leads nowhere has an entry, and no file.
  const file = statSync(target, { throwIfNoEntry: false });
  if (file?.isDirectory()) return "is a folder, name the file to write";
  if (file && isSame(file, statSync(source))) return "is the database itself, name another file";
  const place = join(realpathSync(folder), basename(target));
  if (ownPaths(source, ownNames).has(place.toLowerCase()))
    return "has the name of a file of the system, name another file";
  if (file && filesIn(dirname(source)).some((own) => isSame(file, own))) {
    return "is a file of the data folder, which no backup replaces, name another file";
  }
  if (file && !file.isFile()) return "is no regular file, name a file to write";
  if (["-wal", "-journal"].some((suffix) => existsSync(`${target}${suffix}`))) {
    return "is a database that is open or was not closed: it has a log beside it, name another file";
  }
  if (!entry || mayReplace) return undefined;
  return isLink
    ? "is a symbolic link, name another file or replace the link with --force"
    : "exists already, name another file or replace it with --force";
}

const suffixes = ["", "-wal", "-shm", "-journal"];

/**
 * What the system's files are called, in small letters since a file system may not tell case apart. SQLite has those
 * beside a database where a link to it leads.
 */
function ownPaths(source: string, names: readonly string[]): Set<string> {
  const folder = realpathSync(dirname(source));
  const files = names.flatMap((name) => {
    const path = join(folder, name);
    return existsSync(path) ? [path, realpathSync(path)] : [path];
  });
  return new Set(files.flatMap((path) => suffixes.map((suffix) => `${path}${suffix}`.toLowerCase())));
}

/** Also what links in the folder lead to. One may be removed meanwhile. */
function filesIn(folder: string): Stats[] {
  return readdirSync(folder).flatMap((name) => statSync(join(folder, name), { throwIfNoEntry: false }) ?? []);
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** In a thread: this one stays free for a signal. False: one came first. */
async function copy(source: string, partial: string): Promise<boolean> {
  const { startLinkedThread } = await import("../threads/thread-link.ts");
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

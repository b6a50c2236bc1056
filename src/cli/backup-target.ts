/**
 * Where `throughline backup` must not write: on what it would destroy. With `--force` it replaces a regular file or a
 * symbolic link; never a file of the data folder, by whatever path or link, nor a device, nor a database that is open.
 */

import { existsSync, lstatSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { lockFileName } from "../broker/folder-lock.ts";
import { telemetryFileName } from "../console/telemetry-database.ts";
import { databaseFile } from "../store/sqlite/schema.ts";
import { TaskError } from "../words/errors.ts";

/** Throws `TaskError` `invalid_argument`. `source` is the database; `target` is absolute, as `source` is. */
export function refuseTarget(source: string, target: string, mayReplace: boolean): void {
  const why = problemOf(source, target, mayReplace);
  if (why !== undefined) throw new TaskError("invalid_argument", `"${target}" ${why}`);
}

function problemOf(source: string, target: string, mayReplace: boolean): string | undefined {
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
  if (ownPaths(source).has(place.toLowerCase())) return "has the name of a file of the system, name another file";
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
function ownPaths(source: string): Set<string> {
  const folder = realpathSync(dirname(source));
  const files = [databaseFile, telemetryFileName, lockFileName].flatMap((name) => {
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

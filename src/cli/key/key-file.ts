/** The file of API keys as the commands read and write it. */

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { type KeyEntry, readEntries, toFileText } from "../../access/api-key-file.ts";
import { readKeysPath } from "../../config.ts";
import { TaskError, toFailure } from "../../words/errors.ts";

export interface KeyFlags {
  file?: string;
}

export interface NewKeyFlags extends KeyFlags {
  id: string;
  scope: string;
  expiresIn?: string;
  rate?: string;
  distrustTraceContext?: boolean;
}

/** The flag's file, or the setting's; throws when neither says one. */
export function keysPath({ file }: KeyFlags): string {
  const path = readKeysPath(file);
  if (path === undefined) {
    throw new TaskError("invalid_argument", "which file? Give --file PATH, or set THROUGHLINE_API_KEYS_FILE");
  }
  return path;
}

/** undefined: there is no such file. */
export async function readKeys(path: string): Promise<KeyEntry[] | undefined> {
  try {
    return readEntries(await readFile(path, "utf8"), path);
  } catch (error) {
    if (error instanceof TaskError) throw error;
    if (toFailure(error).type === "ENOENT") return undefined;
    throw cannot("read", path, error);
  }
}

/** For nobody but its owner; in one step, so that a gateway never reads half of it. */
export async function writeKeys(path: string, keys: readonly KeyEntry[]): Promise<void> {
  const beside = `${path}.${process.pid}`;
  try {
    await writeFile(beside, toFileText(keys), { mode: 0o600, flag: "wx" });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw cannot("write", path, error);
  }
}

function cannot(what: string, path: string, cause: unknown): TaskError {
  return new TaskError("unavailable", `could not ${what} "${path}": ${toFailure(cause).message}`, { cause });
}

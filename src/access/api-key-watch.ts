/**
 * Keeps the API keys of a file as the file has them. It is looked at every two seconds: signals do not reach a thread,
 * and a secret mounted by Kubernetes changes without one. A file that is gone or broken changes nothing, and is logged.
 */

import { readFile, stat } from "node:fs/promises";
import type { Clock } from "../limits/clock.ts";
import { repeat } from "../limits/repeat.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { parseKeyFile } from "./api-key-file.ts";
import { type ApiKeys, createApiKeys } from "./api-keys.ts";

const lookEveryMs = 2000;

interface KeyWatch {
  /** As they were last read. */
  keys(): ApiKeys;
}

/** Rejects with `invalid_argument` when the file cannot be read or does not fit; ends with `signal`. */
export async function watchKeyFile(
  path: string,
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): Promise<KeyWatch> {
  let seen = await look(path);
  let keys = await load(path);
  log.info("API keys read", { path, keys: keys.size });

  let refused: string | undefined;
  const reload = async (): Promise<void> => {
    const now = await look(path);
    if (now === seen) return;
    try {
      keys = await load(path);
      seen = now;
      refused = undefined;
      log.info("API keys read again", { path, keys: keys.size });
    } catch (error) {
      // Tried again with each look, since the reason may lie elsewhere, and logged once for each state of the file.
      if (now === refused) return;
      refused = now;
      log.error("the API keys cannot be read again, those read before hold", { path, error: toFailure(error) });
    }
  };
  const step = async (): Promise<number> => {
    await reload();
    return lookEveryMs;
  };
  void clock.sleep(lookEveryMs, signal).then(() => repeat(step, { signal, clock }));
  return { keys: () => keys };
}

/** What changes whenever the file does. Through links: a mounted secret is one. */
async function look(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    return toFailure(error).type;
  }
}

async function load(path: string): Promise<ApiKeys> {
  return createApiKeys(parseKeyFile(await readText(path), path));
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const message = `the API keys of "${path}" cannot be read: ${toFailure(cause).type}; throughline key create makes the file`;
    throw new TaskError("invalid_argument", message, { cause });
  }
}

/**
 * The embedded broker: an SQS-protocol server on loopback, in its own thread. It keeps messages in memory only: the
 * truth is in the store, and each start of the broker makes every live task due for sending again. One process per data
 * folder: a lock that the kernel gives back, however the process ends, holds that.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { buildApp } from "fauxqs";
import { TaskError, toTaskError } from "../errors.ts";
import { openFileLimit } from "../open-files.ts";

export interface EmbeddedBroker {
  endpoint: string;
  stop(): Promise<void>;
}

/**
 * The broker counts what it hides and delays on the wall clock. Its thread has no other use for that, so there it goes on
 * evenly, whatever the system's clock is set to.
 */
export function keepTimeEven(): void {
  const originMs = Date.now() - performance.now();
  Date.now = () => Math.round(originMs + performance.now());
}

/** Its callers are this process's own roles. It takes no more than this share of the file descriptors. */
const mostConnections = 1024;
const connectionShare = 1 / 2;

/** Starts on `port` of loopback; 0 takes a free one. Rejects when another process runs the broker of this folder. */
export async function startEmbeddedBroker(folder: string, port: number): Promise<EmbeddedBroker> {
  const lock = lockFolder(folder);
  try {
    // Not `startFauxqs`, which listens on every address of the machine, whatever host it is given.
    const app = buildApp({ host: "127.0.0.1", logger: false });
    app.server.maxConnections = Math.min(mostConnections, Math.floor(openFileLimit() * connectionShare));
    const endpoint = await app.listen({ port, host: "127.0.0.1" });
    return {
      endpoint,
      stop: async () => {
        await app.close();
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

function lockFolder(folder: string): DatabaseSync {
  mkdirSync(folder, { recursive: true });
  const lock = new DatabaseSync(join(folder, "broker.lock"), { timeout: 0 });
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock.close();
    const isTaken = cause instanceof Error && cause.message.includes("locked");
    const why = isTaken ? "is run by another process" : `cannot be locked: ${toTaskError(cause).message}`;
    throw new TaskError("unavailable", `the embedded queue of "${folder}" ${why}`, { cause });
  }
}

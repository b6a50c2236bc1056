/**
 * The embedded broker: an SQS-protocol server on loopback, in its own thread. It keeps messages in memory only: the
 * truth is in the store, and each start of the broker makes every live task due for sending again. One process per data
 * folder: it holds the folder's lock.
 */

import { buildApp } from "fauxqs";
import { openFileLimit } from "../host/open-files.ts";
import { lockFolder } from "./folder-lock.ts";

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

/**
 * Ports for real servers that can't be asked which one the system gave them.
 * A port is only known to be free for a moment, so whoever starts a server on it starts again when it was taken.
 * They lie below the range that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): a client
 * that keeps trying a server that is down could otherwise be given the server's own port and hold it.
 */

import { createServer } from "node:net";

const portsOfProcess = 400;
/** Test processes run side by side: each looks in a range of its own, as far as their numbers differ. */
const lowestPort = 20_000 + (process.pid % 25) * portsOfProcess;
const highestPort = lowestPort + portsOfProcess - 1;
const mostPortTries = 200;
const mostStarts = 5;
const handedOut = new Set<number>();

/** A server's port was in use when it came to open it. */
export class PortTakenError extends Error {
  override name = "PortTakenError";
}

/** A TCP port of 127.0.0.1 that is free now and was not handed out before by this process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < mostPortTries; tries++) {
    const port = lowestPort + Math.floor(Math.random() * (highestPort - lowestPort + 1));
    if (!handedOut.has(port) && (await isFree(port))) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error(`no free port found from ${lowestPort} to ${highestPort} in ${mostPortTries} tries`);
}

/** Runs `start`, which takes fresh ports each time, again for as long as it rejects with `PortTakenError`, a few times. */
export async function startOnFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let starts = 1; ; starts++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof PortTakenError) || starts === mostStarts) {
        throw error;
      }
    }
  }
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = createServer();
  probe.once("error", () => resolve(false));
  probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve(true)));
  return promise;
}

/** A process whose file descriptors are used up, by callers or by a handler: it stays, says so, and goes on. */

import { describe, expect, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, spawnThroughline, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 180_000;
const patience = { timeoutMs: 60_000 };
const openFiles = 320;

const scarceLine = "few file descriptors are left, new connections are refused until others have closed";
const enoughLine = "there are enough file descriptors again, connections are taken";

/** Opens all files that there are, twice, and lets them go when the test says so. */
const hungryHandler = `
import { closeSync, existsSync, openSync } from "node:fs";
export default {
  type: "hungry",
  maxAttempts: 2,
  async run({ payload: { marker } }) {
    const held = [];
    try {
      for (;;) held.push(openSync("/dev/null", "r"));
    } catch (error) {
      while (!existsSync(marker)) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const descriptor of held) closeSync(descriptor);
      throw error;
    }
  },
};`;

/** The executable under a limit of open files that it cannot raise. */
async function limitedExecutable(folder: string): Promise<string> {
  const path = join(folder, "limited.sh");
  await Bun.write(path, `#!/bin/sh\nulimit -n ${openFiles}\nexec "${await compiledExecutable()}" "$@"\n`);
  await chmod(path, 0o755);
  return path;
}

/** More connections than there are descriptors, each with the same first bytes; they stay until they are let go. */
function flood(url: string, bytes: string): Disposable {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: openFiles + 80 }, (): Socket => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    return socket.on("error", () => socket.destroy());
  });
  return {
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

const count = ({ lines }: ThroughlineProcess, text: string): number =>
  lines.filter((line) => line.includes(text)).length;

describe("a process at its limit of open files", () => {
  test(
    "outlives connections that send nothing, or half a request, and a handler that holds all files",
    async () => {
      await using folder = await tempFolder();
      await Bun.write(join(folder.path, "handlers/hungry.ts"), hungryHandler);
      const executable = await limitedExecutable(folder.path);
      await using running = await startThroughline(
        ["serve", "--threads=2", `--handlers=${folder.path}/handlers`, ...freePorts],
        { command: { executable }, env: { THROUGHLINE_ROLE: "all" } },
      );
      const { addresses } = running;
      const api = httpApi(addresses.gateway_url);
      expect(count(running, "the limit of open files is low")).toBe(1);
      const isWell = async (): Promise<true> => {
        const { id } = await api.submit({ type: "echo" });
        expect((await api.ended(id)).status).toBe("succeeded");
        return true;
      };

      const floods = [
        [addresses.gateway_url, ""],
        [addresses.admin_url, "GET / HT"],
        [addresses.grpc_url, "PRI * HTTP/2.0\r\n"],
        [addresses.console_url, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n"],
        [addresses.queue_endpoint, ""],
      ] as const;
      for (const [url, bytes] of floods) {
        {
          using _ = flood(url ?? "", bytes);
          await eventually(() => count(running, scarceLine) > 0, patience);
        }
        await eventually(isWell, patience);
      }
      await eventually(() => count(running, enoughLine) > 0, patience);

      const toldBefore = count(running, scarceLine);
      const marker = join(folder.path, "marker");
      const { id } = await api.submit({ type: "hungry", payload: { marker } });
      await eventually(() => count(running, scarceLine) > toldBefore, patience);
      await Bun.write(marker, "");
      const dead = await eventually(() => api.ended(id), patience);
      expect([dead.status, dead.error?.message]).toEqual(["dead", expect.stringContaining("EMFILE")]);
      await eventually(isWell, patience);
      expect(await running.stop()).toBe(0);
    },
    limitMs,
  );

  test(
    "is warned of by doctor",
    async () => {
      await using folder = await tempFolder();
      const executable = await limitedExecutable(folder.path);
      await using doctor = await spawnThroughline(["doctor", ...freePorts], { command: { executable } });
      await doctor.exited;
      expect(doctor.lines.filter((line) => line.includes("open files"))).toEqual([
        expect.stringMatching(/^warn .* 320 may be open at once/),
      ]);
    },
    limitMs,
  );
});

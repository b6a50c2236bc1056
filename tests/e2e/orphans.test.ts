/** As process 1, as in a container: what the children of handlers leave behind is taken away when it ends. */

import { expect, test } from "bun:test";
import { editedHandlers } from "../support/edited-handlers.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { describeUnless } from "../support/requires.ts";

const limitMs = 120_000;

/** Process 1 of a PID namespace of its own; one's own user namespace allows that to a user without rights. */
const own = ["-pf", "--mount-proc", "--kill-child", ...(process.getuid?.() === 0 ? [] : ["-Ur"])];

function whyNoNamespace(): string | undefined {
  const { success } = Bun.spawnSync(["unshare", ...own, "true"], { stdout: "ignore", stderr: "ignore" });
  return success ? undefined : "unshare makes no PID namespace here";
}

const leave = `
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const ended = (command) => new Promise((resolve) => spawn("sh", ["-c", command]).on("exit", resolve));
function zombies() {
  const numbers = readdirSync("/proc").filter((name) => /^\\d+$/.test(name));
  return numbers.filter((pid) => {
    try { return / Z /.test(readFileSync(\`/proc/\${pid}/stat\`, "utf8")); } catch { return false; }
  }).length;
}

export default {
  async run({ payload }) {
    if (payload === "count") return { pid: process.pid, zombies: zombies() };
    if (payload === "leave") return Promise.all(Array.from({ length: 20 }, () => ended("(sleep 0.2 &)")));
    // Ended while this thread looks at nothing, for longer than an orphan is left alone.
    const codes = Promise.all([ended("exit 7"), ended("kill -9 $$")]);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
    return codes;
  },
};
`;

describeUnless(whyNoNamespace())("process 1", () => {
  test(
    "takes away what handlers' children left behind, and leaves the exit codes of its own children to handlers",
    async () => {
      await using folder = await editedHandlers({ "leave.ts": leave });
      const serve = [await compiledExecutable(), "serve", ...freePorts, `--handlers=${folder.path}`];
      await using running = await startThroughline([...own, ...serve], { command: { executable: "unshare" } });
      const api = httpApi(running.addresses.gateway_url);
      const result = async (payload: string): Promise<unknown> =>
        (await api.ended((await api.submit({ type: "leave", payload })).id)).result;

      expect(await result("leave")).toEqual(Array.from({ length: 20 }, () => 0));
      expect(await result("own")).toEqual([7, null]);
      const left = async (): Promise<unknown> => await result("count");
      await eventually(async () => Bun.deepEquals(await left(), { pid: 1, zombies: 0 }), { timeoutMs: 30_000 });
    },
    limitMs,
  );
});

/** Stdout of a process that serves has log lines and nothing else, and whatever becomes of its reader, it works on. */

import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../parts/free-port.ts";
import { editedHandlers } from "../support/edited-handlers.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { startShell } from "../support/shell.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

/** Goes past the streams of its thread, which are log lines. */
const raw = `
import { spawn, spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
writeSync(1, "RAW while loading\\n");
process.stdout.write("a line while loading\\n");
export default {
  async run() {
    console.log("a line");
    writeSync(1, "RAW half a line");
    spawnSync("echo", ["RAW child"], { stdio: "inherit" });
    await new Promise((resolve) => spawn("echo", ["RAW later child"], { stdio: "inherit" }).on("exit", resolve));
    if (!globalThis.Bun) return "printed";
    await Bun.write(Bun.stdout, "RAW Bun.write\\n");
    const writer = Bun.stdout.writer();
    writer.write("RAW writer\\n");
    await writer.flush();
    await Bun.$\`echo RAW shell\`;
    return "printed";
  },
};
`;
const everywhere = ["RAW while loading", "RAW half a line", "RAW child", "RAW later child"];
const onBun = [...everywhere, "RAW Bun.write", "RAW writer", "RAW shell"];

describe("what handlers print past every stream", () => {
  test.each([
    ["compiled", onBun],
    ["source", onBun],
    ["deno", everywhere],
  ] as const)(
    "goes to stderr: %s",
    async (command, expected) => {
      await using folder = await editedHandlers({ "raw.ts": raw });
      const args = [...freePorts, "--threads=1", `--handlers=${folder.path}`];
      await using running = await startThroughline(args, { command });
      const api = httpApi(running.addresses.gateway_url);
      expect(await api.ended((await api.submit({ type: "raw" })).id)).toMatchObject({ result: "printed" });
      expect(await running.stop()).toBe(0);
      // Throws when there is another line than those of the log.
      const printed = running.logs().filter(({ module }) => module === "handler");
      expect(printed.map(({ msg }) => msg)).toEqual(["a line while loading", "a line"]);
      for (const text of expected) expect(running.errors()).toContain(text);
    },
    limitMs,
  );

  test(
    "does not stand in the JSON of the doctor",
    async () => {
      await using folder = await editedHandlers({ "raw.ts": raw });
      const doctor = `${await compiledExecutable()} doctor --json --handlers=${folder.path} ${freePorts.join(" ")}`;
      await using shell = startShell(`${doctor} 2>/dev/null | cat`);
      await shell.exited;
      const findings: unknown = JSON.parse(shell.output());
      expect(findings).toContainEqual(expect.objectContaining({ check: "handlers", status: "ok" }));
    },
    limitMs,
  );
});

/** Its ready line, which has its addresses, is not read here: they are asked for by number. */
async function serveCommand(more: readonly string[] = []) {
  const [gateway, admin] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const others = freePorts.filter((flag) => !/gateway|admin/.test(flag));
  const flags = [...others, `--gateway-listen=${gateway}`, `--admin-listen=${admin}`, ...more];
  const isReady = async (): Promise<boolean> =>
    fetch(`http://${admin}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  return {
    // What is ignored would stay so in the child; what is handled does not.
    commandLine: `(trap : HUP; ${await compiledExecutable()} serve ${flags.join(" ")}; echo "ended with $?" >&2)`,
    ready: () => eventually(isReady, { timeoutMs: 60_000 }),
    api: httpApi(`http://${gateway}`),
    metrics: async () => (await fetch(`http://${admin}/metrics`)).text(),
  };
}

/** Twenty-four megabytes of lines. */
const chatty = `export default {
  run(_, ctx) {
    for (let n = 0; n < 1500; n++) ctx.log.info("line", { text: "x".repeat(16_000) });
    return "told";
  },
};
`;

describe("a reader of the log", () => {
  test.each([
    ["that leaves after the first line", "| head -n 1 > first", "EPIPE"],
    ["whose disk is full", "> /dev/full", "ENOSPC"],
  ])(
    "%s ends nothing, and is told once",
    async (_, reader, code) => {
      await using folder = await tempFolder();
      const { commandLine, ready, api } = await serveCommand();
      await using shell = startShell(`${commandLine} ${reader}`, { cwd: folder.path });
      await ready();
      expect(await api.ended((await api.submit({ type: "echo", payload: 1 })).id)).toMatchObject({ result: 1 });
      shell.hangUp();
      await shell.exited;
      const said = shell.output().trimEnd().split("\n");
      expect(said).toEqual([expect.stringContaining(code), "ended with 0"]);
    },
    limitMs,
  );

  test(
    "that stalls holds up no task; what is dropped is counted, and told once it reads again",
    async () => {
      await using folder = await editedHandlers({ "chatty.ts": chatty });
      const { commandLine, ready, api, metrics } = await serveCommand([`--handlers=${folder.path}`]);
      const reader = "(head -n 1 > first; while [ ! -e go ]; do sleep 0.1; done; cat > rest)";
      await using shell = startShell(`${commandLine} | ${reader}`, { cwd: folder.path });
      await ready();
      expect(await api.ended((await api.submit({ type: "chatty" })).id)).toMatchObject({ result: "told" });
      await eventually(async () => /^log_lines_dropped_total\S* [1-9]/m.test(await metrics()));
      await folder.write("go", "");
      const rest = (): Promise<string> => readFile(join(folder.path, "rest"), "utf8").catch(() => "");
      await eventually(async () => (await rest()).includes("log lines were dropped"));
      shell.hangUp();
      await shell.exited;
      const said = shell.output().trimEnd().split("\n");
      expect(said).toEqual([expect.stringContaining("the reader of stdout"), "ended with 0"]);
      const lines = (await rest()).trimEnd().split("\n").slice(1);
      expect(lines.filter((line) => !line.startsWith('{"level":'))).toEqual([]);
    },
    limitMs,
  );
});

/** Handler files whose import never ends, or ends its thread: refused by name, at every place where handlers load. */

import { expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, type StartOptions, spawnThroughline, startThroughline } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

async function folderWith(files: Record<string, string>) {
  const folder = await tempFolder();
  await mkdir(join(folder.path, "handlers"));
  for (const [file, text] of Object.entries(files)) {
    await writeFile(join(folder.path, "handlers", file), `${text}\nexport default { run: () => 1 };\n`);
  }
  return folder;
}

async function refusal(files: Record<string, string>, args: string[], command: StartOptions["command"] = "compiled") {
  await using folder = await folderWith(files);
  await using spawned = await spawnThroughline([...args, ...freePorts], { command, cwd: folder.path });
  const exitCode = await spawned.exited;
  return { exitCode, stderr: spawned.errors(), stdout: spawned.lines.join("\n") };
}

const endless = {
  waits: { "db.ts": "await new Promise(() => {});" },
  polls: { "db.ts": "await new Promise(() => setInterval(() => {}, 50));" },
  spins: { "lib/loop.ts": "for (;;);", "db.ts": 'import "./_loop.ts";', "_loop.ts": "for (;;);" },
};

/** Each in its own way, and all told at once. */
const ending = {
  "a.ts": "process.exit(0);",
  "b.ts": 'setTimeout(() => { throw new RangeError("in a timer"); });',
  "c.ts": 'Promise.reject(new Error("in a promise"));',
  "d.ts": 'try { process.exit(5); } catch { throw new Error("left"); }',
};
const endingTold = [
  /handler file "a\.ts": process\.exit\(0\) was called: a handler cannot end its process/,
  /handler file "b\.ts": in a timer \(b\.ts:1:\d+\), in a timer or promise that it started/,
  /handler file "c\.ts": in a promise \(c\.ts:1:\d+\), in a timer or promise that it started/,
  /handler file "d\.ts": left \(d\.ts:1:\d+\)/,
];
const endlessTold = /handler file "db\.ts": it has not loaded within 8 s/;

test.each(["compiled", "deno"] as const)(
  "a start is refused with the name of each file that does not load: %s",
  async (command) => {
    const [waits, ends] = await Promise.all([
      refusal(endless.waits, ["--threads=1"], command),
      refusal(ending, ["--threads=1"], command),
    ]);
    expect([waits.exitCode, ends.exitCode]).toEqual([2, 2]);
    expect(waits.stderr).toMatch(endlessTold);
    for (const told of endingTold) expect(ends.stderr).toMatch(told);
  },
  limitMs,
);

test(
  "so is one that computes for ever, and throughline doctor says the same",
  async () => {
    const [spins, ...looked] = await Promise.all([
      refusal({ "db.ts": endless.spins["db.ts"], "_loop.ts": endless.spins["_loop.ts"] }, ["--threads=1"]),
      refusal(endless.polls, ["doctor"]),
      refusal(ending, ["doctor"]),
    ]);
    expect([spins.exitCode, ...looked.map(({ exitCode }) => exitCode)]).toEqual([2, 1, 1]);
    expect(spins.stderr).toMatch(endlessTold);
    expect(looked[0]?.stdout).toMatch(endlessTold);
    for (const told of endingTold) expect(looked[1]?.stdout).toMatch(told);
  },
  limitMs,
);

test(
  "a second signal ends a start that has not come to its end",
  async () => {
    await using folder = await folderWith({ "db.ts": "console.error('loads'); for (;;);" });
    await using spawned = await spawnThroughline(["--threads=1", ...freePorts], { cwd: folder.path });
    await eventually(() => spawned.lines.length > 0);
    spawned.kill("SIGTERM");
    spawned.kill("SIGINT");
    expect(await spawned.exited).toBe(1);
    expect(spawned.errors()).not.toMatch(endlessTold);
  },
  limitMs,
);

test(
  "a thread in whose place none loads is missed by /health, until one does",
  async () => {
    const trap = 'import { existsSync } from "node:fs";\nif (existsSync("trap")) await new Promise(() => {});';
    await using folder = await folderWith({ "db.ts": trap });
    await using running = await startThroughline(["--threads=1", ...freePorts], { cwd: folder.path });
    const workers = async () => {
      const answer = await fetch(`${running.addresses.admin_url}/health`);
      return (await answer.json()).checks.workers;
    };
    expect(await workers()).toEqual({ status: "healthy", threads: 1, busy: 0, stuck: 0 });
    await writeFile(join(folder.path, "trap"), "");
    const api = httpApi(running.addresses.gateway_url);
    await api.ended((await api.submit({ type: "crash", max_attempts: 1 })).id);
    await eventually(async () => (await workers()).status === "unhealthy", { timeoutMs: 30_000 });
    expect(await workers()).toMatchObject({ threads: 0, reason: expect.stringMatching(endlessTold) });
    await rm(join(folder.path, "trap"));
    await eventually(async () => (await workers()).status === "healthy", { timeoutMs: 30_000 });
  },
  limitMs,
);

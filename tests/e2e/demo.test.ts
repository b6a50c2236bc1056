/** What the demo says may be typed next, typed to the letter while it serves. */

import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { startShell } from "../support/shell.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

test(
  "the demo's commands do what they say, with the ids of its own tasks, and it takes its folder away when its terminal closes",
  async () => {
    await using folder = await tempFolder();
    const executable = await compiledExecutable();
    await using demo = startShell(`exec ${executable} demo`, { env: { TMPDIR: folder.path } });
    await eventually(() => demo.output().includes("Ctrl-C stops it."), { timeoutMs: limitMs / 2 });
    const [, said = ""] = demo.output().split("In another terminal:\n");
    const lines = said.split("\nTo look at:")[0]?.split("\n") ?? [];
    const typed = lines.filter((line) => line.startsWith("  ") && !line.startsWith("  #")).map((line) => line.trim());
    const names = typed.map((line) => /(export \w+|(?:task|dlq) \w+|trace|verify|curl)\b/.exec(line)?.[1]);
    // Where the usual address is taken it says which one is meant.
    expect(names.filter((name) => !name?.startsWith("export THROUGHLINE_"))).toEqual([
      "task list",
      "task timeline",
      "dlq show",
      "trace",
      "dlq redrive",
      "task submit",
      "verify",
      "curl",
    ]);

    await using shell = startShell(`set -e; ${typed.filter((line) => !line.startsWith("curl")).join("\n")}`);
    expect({ exitCode: await shell.exited, said: shell.output() }).toEqual({ exitCode: 0, said: shell.output() });
    const shown = shell.output();
    expect(shown.match(/^[\da-f-]{36} {2}(succeeded|dead)/gm)).toHaveLength(10);
    for (const word of [
      "retrying",
      "died of",
      "moved    1",
      "process task-events-dlq",
      '{"hello":"world"}',
      "every hop passed",
    ])
      expect(shown).toContain(word);

    demo.hangUp();
    expect(await demo.exited).toBe(0);
    expect(await readdir(folder.path)).toEqual([]);
  },
  limitMs,
);

/** docs/handlers.md, done as it stands there: its commands, its handlers, its tests. */

import { expect, test } from "bun:test";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { projectFolder } from "../support/executable.ts";
import { codeBlocks, readDoc, sectionBelow, tableBelow } from "../support/markdown.ts";
import { startShell } from "../support/shell.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;
const doc = await readDoc("docs/handlers.md");

interface Ended {
  exitCode: number | null;
  output: string;
}

/** A folder in which `throughline` is a command, of these sources. */
async function withCommand() {
  const folder = await tempFolder();
  const bin = join(folder.path, "bin");
  await mkdir(bin);
  await writeFile(
    join(bin, "throughline"),
    `#!/bin/sh\nexec "${process.execPath}" "${projectFolder}/src/main.ts" "$@"\n`,
  );
  await chmod(join(bin, "throughline"), 0o755);
  const run = async (commandLine: string, cwd = "."): Promise<Ended> => {
    const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder.path };
    await using shell = startShell(commandLine, { cwd: join(folder.path, cwd), env });
    return { exitCode: await shell.exited, output: shell.output() };
  };
  return { ...folder, run, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test(
  "its commands work, one after the other",
  async () => {
    await using folder = await withCommand();
    const commands = codeBlocks(doc, "sh").join("\n");
    const { exitCode, output } = await folder.run(`set -e\n${commands}`);
    expect(output).toContain("3 pass");
    expect(output).toMatch(/^ok +handlers .*\bgreet\b/m);
    // The doctor may miss other things on this machine; what it was asked for is said above.
    expect([0, 1]).toContain(exitCode ?? -1);
  },
  limitMs,
);

test(
  "its handlers and tests have the right types, pass, and load; on Deno too",
  async () => {
    await using folder = await withCommand();
    await folder.run("throughline init mine");
    const blocks = codeBlocks(doc, "ts");
    const names = blocks.map((block) => /^\/\/ (handlers\/[\w.-]+)\n/.exec(block)?.[1] ?? "no name");
    expect(names).toEqual([
      "handlers/fetch-invoice.ts",
      "handlers/log-order.ts",
      "handlers/charge-card.ts",
      "handlers/weigh-parcel.ts",
      "handlers/book-seat.ts",
      "handlers/charge-card.test.ts",
    ]);
    for (const [n, block] of blocks.entries()) await writeFile(join(folder.path, "mine", names[n] ?? ""), block);
    await symlink(join(projectFolder, "node_modules"), join(folder.path, "mine/node_modules"));

    const tsc = await folder.run(`"${projectFolder}/node_modules/.bin/tsc" -p .`, "mine");
    expect(tsc).toEqual({ exitCode: 0, output: "" });
    expect(await folder.run("throughline test", "mine")).toMatchObject({
      exitCode: 0,
      output: expect.stringContaining("5 pass\n 0 fail"),
    });
    const { output } = await folder.run("throughline doctor --handlers handlers", "mine");
    expect(output).toMatch(/^ok +handlers .*book-seat, charge-card, fetch-invoice, greet, log-order, weigh-parcel/m);
  },
  limitMs,
);

test(
  "the kit is found by Deno once it is linked as npm links it",
  async () => {
    await using folder = await withCommand();
    await folder.run("throughline init mine");
    await mkdir(join(folder.path, "mine/node_modules"));
    await symlink("../.throughline", join(folder.path, "mine/node_modules/throughline"));
    const text = `import { testTask } from "throughline/testing";
Deno.test("runs", async () => {
  const { result, spans } = await testTask({ run: (_, ctx) => ctx.span.isRecording() });
  if (result !== true || spans.length !== 1) throw new Error("it did not run");
});
`;
    await writeFile(join(folder.path, "mine/handlers/deno.test.ts"), text);
    const deno = join(projectFolder, "node_modules/.bin/deno");
    const tested = await folder.run(`NO_COLOR=1 "${deno}" test -A --no-check handlers/deno.test.ts`, "mine");
    expect(tested).toMatchObject({ exitCode: 0, output: expect.stringContaining("1 passed") });
  },
  limitMs,
);

test("its tables have every field of a handler, of its task and of its context", async () => {
  const handler = await Bun.file(join(projectFolder, "src/worker/handlers/handler.ts")).text();
  const kit = await Bun.file(join(projectFolder, "src/testing/tested-task.ts")).text();
  const section = sectionBelow(doc, "What a handler is");
  const told = new Set(
    [...section.matchAll(/^\| (`.*?`(?:, `.*?`)*) +\|/gm)].flatMap(([, cell = ""]) => wordsOf(cell)),
  );
  const fields = ["HandlerTask", "HandlerContext", "Handling"].flatMap((name) => fieldsOf(handler, name));
  expect(fields.length).toBeGreaterThan(15);
  expect([...fields, "payload"].filter((field) => !told.has(field))).toEqual([]);
  const options = new Set(tableBelow(doc, "Tests").flatMap(([cell = ""]) => wordsOf(cell)));
  expect(fieldsOf(kit, "TestOptions").filter((field) => !options.has(field))).toEqual([]);
});

/** The names in a cell, without their parameters. */
function wordsOf(cell: string): string[] {
  return [...cell.matchAll(/`(\w+)/g)].map(([, word = ""]) => word);
}

function fieldsOf(source: string, name: string): string[] {
  const [, body = ""] = new RegExp(`export interface ${name}(?:<[^{]*)? \\{\\n(.*?)\\n\\}`, "s").exec(source) ?? [];
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, field = ""]) => field);
}

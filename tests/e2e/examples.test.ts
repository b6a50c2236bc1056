/** Every example of the help and of docs/cli.md, typed as it stands there. */

import { describe, expect, test } from "bun:test";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { leavesOf, nameOf } from "../../scripts/docs.ts";
import { examplesOf } from "../../src/cli/flags.ts";
import { createProgram } from "../../src/cli/program.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable, projectFolder } from "../support/executable.ts";
import { servedExecutable } from "../support/served.ts";
import { startShell } from "../support/shell.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
const { run, api, url, address } = servedExecutable(
  "--role=all",
  `--handlers=${join(projectFolder, "examples/handlers")}`,
);
const commands = leavesOf(createProgram(() => {}));

/** Run until they are told to stop, or need servers of others or a data folder: tests of their own type what they say. */
const elsewhere = /^throughline (serve|demo|setup|doctor|health|dev|init|test|backup)$/;

test("every command has an example, which names it", () => {
  const without = commands.filter((command) => {
    const examples = examplesOf(command);
    return examples.length === 0 || !examples.some(([line]) => line.includes(nameOf(command)));
  });
  expect(without.map(nameOf)).toEqual([]);
});

const examples = commands
  .filter((command) => !elsewhere.test(nameOf(command)))
  .flatMap((command) => examplesOf(command).map(([line]): [line: string, command: Command] => [line, command]));

describe("an example", () => {
  test.each(examples)(
    "%s",
    async (line, command) => {
      await using folder = await tempFolder();
      await mkdir(join(folder.path, "bin"));
      await symlink(await compiledExecutable(), join(folder.path, "bin/throughline"));
      await Bun.write(join(folder.path, "email.json"), '{"to":"ada@example.org"}');
      const env = {
        PATH: `${join(folder.path, "bin")}:${process.env.PATH}`,
        THROUGHLINE_URL: url(),
        THROUGHLINE_CONSOLE_URL: address("console_url"),
      };
      if (/ key (list|revoke)$/.test(nameOf(command))) await makeKey(join(folder.path, "keys.json"));
      const typed = line
        .replace(/01a1fdf4-[\da-f-]+/, await idFor(nameOf(command)))
        .replace(/4bf92f35[\da-f]+/, await traceIdFor(nameOf(command)))
        .replace("http://127.0.0.1:9464", address("admin_url"));
      await using shell = startShell(`exec bash -c ${quote(runnable(typed))}`, { cwd: folder.path, env });
      if (line.includes("--watch")) {
        await eventually(() => shell.output().includes(" send-email "));
        shell.interrupt();
      }
      const exitCode = await shell.exited;
      expect({ exitCode, said: shell.output() }).toEqual({ exitCode: 0, said: shell.output() });
      expect(shell.output()).not.toContain("throughline: ");
      if (nameOf(command) === "throughline dlq redrive") await untilMoved(shell.output());
    },
    limitMs,
  );
});

/** Other shells than bash have their own test: here it is what they would read. */
function runnable(line: string): string {
  const other = /^source <\((.* zsh)\)$|^(.* fish) \| source$/.exec(line);
  // What comes before it is the example; jq is not on every machine.
  const here = Bun.which("jq") === null ? line.replace(/ \| jq .*$/, "") : line;
  return other?.[1] ?? other?.[2] ?? here;
}

/** What an example brings back must not be on its way when the next one counts what there is. */
async function untilMoved(output: string): Promise<void> {
  const id = /^redrive +([\da-f-]{36})$/m.exec(output)?.[1];
  if (id === undefined) return;
  await eventually(async () => {
    const answer = await fetch(`${url()}/v1/dead-letters/redrives/${id}`);
    return (await answer.json()).status !== "running";
  });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function makeKey(file: string): Promise<void> {
  const made = await run(["key", "create", "--id=shop", "--scope=read", `--file=${file}`]);
  expect(made.exitCode).toBe(0);
}

async function traceIdFor(command: string): Promise<string> {
  return command === "throughline trace" ? (await tracedTask()).trace_id : "";
}

/** A task whose trace the console has. */
async function tracedTask(): Promise<{ id: string; trace_id: string }> {
  const { id, trace_id } = await api().ended((await api().submit({ type: "echo" })).id);
  await eventually(async () => (await fetch(`${address("console_url")}/v1/tasks/${id}/trace`)).ok);
  return { id, trace_id };
}

/** Something that the command can do what it says with. */
async function idFor(command: string): Promise<string> {
  if (command === "throughline trace") return (await tracedTask()).id;
  if (!/^throughline (task|dlq) /.test(command)) return "";
  // For the lists.
  await api().submit({ type: "send-email", delay: "1h" });
  if (/cancel/.test(command)) return (await api().submit({ type: "echo", delay: "1h" })).id;
  if (/ task /.test(command)) return (await api().submit({ type: "echo" })).id;
  const dead = await Promise.all([1, 2].map(() => api().submit({ type: "fail", max_attempts: 1 })));
  const ids = dead.map(({ id }) => id);
  for (const id of ids) await api().ended(id);
  // One that is not over soon.
  const redrive = ["dlq", "redrive", ...ids, "--rate", "0.001", "-q"];
  return /redrives/.test(command) ? (await run(redrive)).stdout.trimEnd() : (ids[0] ?? "");
}

/** Tab in real shells: the scripts of `throughline completion`, and what the executable answers them. */

import { describe, expect, test } from "bun:test";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { taskReasons, taskStatuses } from "../../src/words/task.ts";
import { fishPart, type ShellPart, zshPart } from "../parts/debian-shell.ts";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { describeUnless, describeWith } from "../support/requires.ts";
import { servedExecutable } from "../support/served.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startInTerminal } from "../support/terminal.ts";

const limitMs = 90_000;
const { run, api, url } = servedExecutable();

/** What may stand in place of the last word, and with which meaning. */
async function complete(...words: string[]): Promise<[value: string, meaning: string][]> {
  const { exitCode, stdout, errors } = await run(["complete", "--", ...words]);
  expect([exitCode, errors]).toEqual([0, []]);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.pop()).toMatch(/^:\d+$/);
  return lines.map((line) => {
    const [value = "", meaning = ""] = line.split("\t");
    return [value, meaning];
  });
}

async function values(...words: string[]): Promise<string[]> {
  return (await complete(...words)).map(([value]) => value);
}

describe("what may come next", () => {
  test("is a command", async () => {
    expect(await complete("ta")).toEqual([["task", "submit tasks, look at them, cancel them"]]);
    expect(await values("task", "")).toEqual(["submit", "get", "list", "timeline", "watch", "cancel", "help"]);
    expect(await values("dlq", "re")).toEqual(["redrive", "redrives"]);
    expect(await values("completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]));
    expect(await values("help", "task", "su")).toEqual(["submit"]);
    expect(await values("nonsense", "")).toEqual([]);
  });

  test("is a flag, or one of its values", async () => {
    expect(await values("task", "submit", "--wa")).toEqual(["--wait", "--wait-limit"]);
    expect(await values("task", "list", "--status", "")).toEqual([...taskStatuses]);
    expect(await values("task", "list", "--status=su")).toEqual(["succeeded"]);
    expect(await values("dlq", "redrive", "--cause", "")).toEqual([...taskReasons]);
    expect(await values("dlq", "redrives", "x", "pa")).toEqual(["pause"]);
    expect(await values("serve", "--gateway")).toEqual(["--gateway-listen", "--gateway-url"]);
  });

  test(
    "is an id or a type, as the system knows them",
    async () => {
      const { id } = await api().submit({ type: "fail", max_attempts: 1 });
      await api().ended(id);
      const [[value, meaning] = []] = await complete("dlq", "show", id.slice(0, 13));
      expect([value, meaning]).toEqual([id, expect.stringMatching(/^fail dead (now|\d+s ago)$/)]);
      expect(await values("dlq", "list", "--type", "")).toEqual(["fail"]);
      await run(["schedule", "create", "fail", "--every", "1h", "--id", "hourly", "--paused"]);
      expect(await complete("schedule", "show", "h")).toEqual([["hourly", "every 1h"]]);
      expect(await values("schedule", "create", "f")).toEqual(["fail"]);
    },
    limitMs,
  );

  test("is nothing where the system is away, and nobody hears of it", async () => {
    const env = { THROUGHLINE_URL: "http://127.0.0.1:1" };
    const asked = await runThroughline(["complete", "--", "dlq", "show", ""], env);
    expect(asked).toEqual({ exitCode: 0, stdout: ":4\n", errors: [] });
  });
});

/** Types a line and a tab, and gives the line once the shell has made it longer. */
async function tab(shell: ShellPart, load: string, typed: string): Promise<string> {
  await using folder = await tempFolder();
  await symlink(await compiledExecutable(), join(folder.path, "throughline"));
  const env = { ...shell.env, PATH: `${folder.path}:${process.env.PATH}`, THROUGHLINE_URL: url(), PS1: "$ " };
  await using terminal = await startInTerminal(shell.command, { cols: 120, env });
  terminal.type(`${load}; echo is"-"loaded\r`);
  await eventually(() => terminal.screen().includes("is-loaded"));
  // A tab that comes before the shell reads keys is a tab.
  await eventually(() => terminal.screen().at(-1) !== "is-loaded");
  terminal.type(`${typed}\t`);
  // Not before the terminal has shown it.
  return await eventually(() => {
    const line = terminal.screen().findLast((text) => text.includes(typed)) ?? "";
    const completed = line.slice(line.indexOf(typed)).trimEnd();
    return completed.length > typed.length && completed;
  });
}

const lines: [typed: string, completed: string][] = [
  ["throughline task sub", "throughline task submit"],
  ["throughline dlq discard --rea", "throughline dlq discard --reason"],
  ["throughline task list --status succ", "throughline task list --status succeeded"],
  ["throughline task list --status=succ", "throughline task list --status=succeeded"],
];

describeUnless(Bun.which("bash") === null ? "there is no bash" : undefined)("bash", () => {
  test.each(lines)(
    "%s",
    async (typed, completed) => {
      // Twice, as whoever reads their own file again does.
      const load = "source <(throughline completion bash); source <(throughline completion bash)";
      const bash = { command: ["bash", "--norc", "--noprofile", "-i"], env: {} };
      expect(await tab(bash, load, typed)).toBe(completed);
    },
    limitMs,
  );
});

describeWith("zsh")("zsh", () => {
  test.each(lines)(
    "%s",
    async (typed, completed) => {
      await using home = await tempFolder();
      const load = "autoload -Uz compinit; compinit -u -D; source <(throughline completion zsh)";
      expect(await tab(await zshPart(home.path), load, typed)).toBe(completed);
    },
    limitMs,
  );
});

describeWith("fish")("fish", () => {
  test.each(lines)(
    "%s",
    async (typed, completed) => {
      await using home = await tempFolder();
      expect(await tab(fishPart(home.path), "throughline completion fish | source", typed)).toBe(completed);
    },
    limitMs,
  );
});

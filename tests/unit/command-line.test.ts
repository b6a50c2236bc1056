/** Wrong usage of a command line is told whole, and nothing is done. */

import { describe, expect, test } from "bun:test";
import { Command, InvalidArgumentError, Option } from "commander";
import { runUsage, withHelpFlag } from "../../src/cli/command-line.ts";
import { ConfigError } from "../../src/config.ts";

function evenNumber(text: string): number {
  if (Number(text) % 2 === 0) return Number(text);
  throw new InvalidArgumentError("Expected an even number.");
}

/** `throughline cook soup TYPE [spice]`, and what it was asked for. */
function startProgram() {
  const done: unknown[] = [];
  const createProgram = (): Command => {
    const program = new Command("throughline")
      .configureOutput({ outputError: () => {}, writeErr: () => {} })
      .exitOverride();
    program
      .command("cook")
      .command("soup <type> [spice]")
      .addOption(new Option("-n, --number <even>").argParser(evenNumber))
      .addOption(new Option("--size <size>").choices(["small", "large"]))
      .addOption(new Option("--hot").conflicts("cold"))
      .option("--cold")
      .action((...asked) => void done.push(asked.slice(0, 3)));
    program
      .command("clean")
      .requiredOption("--reason <text>")
      .option("--depth <n>")
      .action(() => void done.push("clean"));
    return program;
  };
  return { done, createProgram, run: (...args: string[]) => runUsage(createProgram, args) };
}

describe("wrong usage", () => {
  const wrong: [args: string, problems: string[]][] = [
    ["cok", ["unknown command 'cok' (did you mean cook?)", "`throughline help` shows what there is"]],
    ["cook soop", ["unknown command 'soop' (did you mean soup?)", "`throughline help cook` shows what there is"]],
    ["cook soup", ["missing required argument 'type'"]],
    ["cook soup pea mint more", ["too many arguments for 'soup'. Expected 2 arguments but got 3: pea, mint, more."]],
    [
      "cook soup --nmber 3 --size huge -n 5 --hot --cold pea --siz",
      [
        "option '--size <size>' argument 'huge' is invalid. Allowed choices are small, large.",
        "option '-n, --number <even>' argument '5' is invalid. Expected an even number.",
        "option '--hot' cannot be used with option '--cold'",
        "unknown option '--nmber' (did you mean --number?)",
        "unknown option '--siz' (did you mean --size?)",
      ],
    ],
    [
      "cook soup -n5 --number=7 --size",
      [
        "option '-n, --number <even>' argument '5' is invalid. Expected an even number.",
        "option '-n, --number <even>' argument '7' is invalid. Expected an even number.",
        "option '--size <size>' argument missing",
        "missing required argument 'type'",
      ],
    ],
    [
      "clean up --dept",
      ["required option '--reason <text>' not specified", "unknown option '--dept' (did you mean --depth?)"],
    ],
  ];
  test.each(wrong)("%s", async (line, problems) => {
    const { run, done } = startProgram();
    const failed = await run(...line.split(" ")).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ConfigError);
    const told = failed instanceof ConfigError ? failed.problems : [];
    expect([told.slice(0, problems.length), done]).toEqual([problems, []]);
    expect(told.at(-1)).toMatch(/^`throughline help.*` shows what there is$/);
    // Nothing but what was expected, and the hint.
    expect(told.length).toBeLessThanOrEqual(problems.length + 1);
  });

  test("is not found in what is right", async () => {
    const { run, done } = startProgram();
    await run("cook", "soup", "pea", "--size=small", "-n", "4");
    expect(done).toEqual([["pea", undefined, { size: "small", number: 4 }]]);
  });

  test("is no fault of an action that fails", async () => {
    const { createProgram } = startProgram();
    const failing = (): Command => {
      const program = createProgram();
      program.command("fail").action(() => Promise.reject(new Error("burnt")));
      return program;
    };
    await expect(runUsage(failing, ["fail"])).rejects.toThrow("burnt");
  });
});

describe("help of a command", () => {
  const asked: [words: string, becomes: string][] = [
    ["help", "help"],
    ["help cook", "cook --help"],
    ["help cook soup", "cook soup --help"],
    ["help cook soup pea", "cook soup --help"],
    ["help cook soop", "cook soop"],
    ["help cok", "cok"],
    ["cook soup help", "cook soup help"],
  ];
  test.each(asked)("%s: %s", (words, becomes) => {
    const { createProgram } = startProgram();
    expect(withHelpFlag(createProgram(), words.split(" "))).toEqual(becomes.split(" "));
  });
});

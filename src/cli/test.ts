/**
 * `throughline test`: the tests of a handlers folder, by the test runner of Bun. The compiled executable has Bun in it,
 * and acts as Bun when the environment asks for it (bun.com/docs/bundler/executables, "Act as the Bun CLI"): nothing is
 * installed.
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { environmentWith } from "../config.ts";
import { runtime } from "../host/runtime.ts";
import { TaskError } from "../words/errors.ts";
import { type AddCommand, withExamples } from "./flags.ts";

export const addTest: AddCommand = (program, end) => {
  const test = program
    .command("test")
    .description("run the tests of a handlers folder, with nothing installed")
    .argument("[folder]", "where they are", ".")
    .argument("[args...]", "after --: for the runner, which is bun test")
    .action(async (folder: string, args: string[]) => {
      // What follows -- is for the runner, also when no folder goes before it.
      const words = folder.startsWith("-") ? [".", folder, ...args] : [folder, ...args];
      end(await runTests(words));
    });
  withExamples(
    test,
    ["throughline test", "all tests in this folder"],
    ["throughline test my-tasks -- --watch", "those in another, again whenever a file changes"],
  );
};

/** The folder, then what is for the runner. Resolves with its exit code. */
async function runTests([folder = ".", ...args]: readonly string[]): Promise<number> {
  if (runtime.name !== "bun") {
    throw new TaskError("invalid_argument", "throughline test needs Bun: run it by the compiled executable, or by bun");
  }
  if (!existsSync(folder)) throw new TaskError("invalid_argument", `there is no folder "${folder}"`);
  const child = spawn(process.execPath, ["test", ...args], {
    cwd: folder,
    stdio: "inherit",
    env: environmentWith({ BUN_BE_BUN: "1" }),
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

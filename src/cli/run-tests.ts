/**
 * `throughline test`: the tests of a handlers folder, by the test runner of Bun. The compiled executable has Bun in it,
 * and becomes Bun when it is asked to (bun.com/docs/bundler/executables, "Act as the Bun CLI"): nothing is installed.
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { environmentWith } from "../config.ts";
import { runtime } from "../host/runtime.ts";
import { TaskError } from "../words/errors.ts";

/** The folder, then what is for the runner. Resolves with its exit code. */
export async function runTests([folder = ".", ...args]: readonly string[]): Promise<number> {
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

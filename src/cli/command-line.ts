/** Parses the command line and runs its command. Gives the exit code: 0, 1, 2 or 70. */

import type { Command } from "commander";
import { completeWords } from "./completion.ts";
import { endOutput, exitCodes, explain, logLimitMs, outputFailure } from "./exit.ts";
import { createProgram } from "./program.ts";
import { runUsage, withHelpFlag } from "./usage.ts";

export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const create = (): Command =>
    createProgram((code) => {
      exitCode = code;
    });
  const failure = outputFailure();
  const words = withHelpFlag(create(), withCommand(args));
  try {
    // The scripts of `throughline completion` call it; the help does not list it.
    if (args[0] === "complete") await completeWords(create(), args.slice(2));
    else await runUsage(create, words);
  } catch (error) {
    exitCode = explain(error);
  }
  const lost = await Promise.race([failure, endOutput(words[0] === "serve" ? logLimitMs : undefined)]);
  return lost === undefined || isReaderGone(lost) ? exitCode : exitCodes.failed;
}

/** As in `throughline task list | head -1`, which is no failure. */
function isReaderGone(error: Error): boolean {
  return "code" in error && error.code === "EPIPE";
}

/** Flags alone are those of `serve`. A first word is always read as a command's name, so that a wrong one is refused. */
function withCommand(args: readonly string[]): string[] {
  const [first] = args;
  const isServe = first === undefined || (first.startsWith("-") && first !== "-h" && first !== "--help");
  return isServe ? ["serve", ...args] : [...args];
}

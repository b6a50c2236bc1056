/** Parses the command line and hands over to one file a command. Gives the exit code: 0, 1, 2 or 70. */

import type { Command } from "commander";
import { exitCodes } from "./exit-codes.ts";
import { explain } from "./explain.ts";
import { withHelpFlag } from "./help.ts";
import { endOutput, logLimitMs, outputFailure } from "./output.ts";
import { createProgram } from "./program.ts";
import { runUsage } from "./usage.ts";

export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const create = (): Command =>
    createProgram((code) => {
      exitCode = code;
    });
  const failure = outputFailure();
  const words = withHelpFlag(create(), withCommand(args));
  try {
    if (args[0] === "complete") await answerShell(create(), args);
    else await runUsage(create, words);
  } catch (error) {
    exitCode = explain(error);
  }
  const lost = await Promise.race([failure, endOutput(words[0] === "serve" ? logLimitMs : undefined)]);
  return lost === undefined || isReaderGone(lost) ? exitCode : exitCodes.failed;
}

/** What the scripts of `throughline completion` ask; people need not know of it. */
async function answerShell(program: Command, [, , ...words]: readonly string[]): Promise<void> {
  const { completeWords } = await import("./completion/complete.ts");
  await completeWords(program, words);
}

/** `throughline task list | head -1` has what it wants. */
function isReaderGone(error: Error): boolean {
  return "code" in error && error.code === "EPIPE";
}

/** Flags alone are those of `serve`. A word is always a command's name, so that a wrong one is told as that. */
function withCommand(args: readonly string[]): string[] {
  const [first] = args;
  const isServe = first === undefined || (first.startsWith("-") && first !== "-h" && first !== "--help");
  return isServe ? ["serve", ...args] : [...args];
}

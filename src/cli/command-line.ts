/** Parses the command line and hands over to one file a command. Gives the exit code: 0, 1, 2 or 70. */

import { Command } from "commander";
import { commands } from "./commands.ts";
import { exitCodes } from "./exit-codes.ts";
import { explain } from "./explain.ts";

export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = new Command("throughline")
    .description("Tasks over HTTP, run on worker threads, every task one trace")
    .showHelpAfterError("(throughline help shows what there is)")
    .exitOverride();
  for (const add of commands) {
    add(program, (code) => {
      exitCode = code;
    });
  }
  try {
    await program.parseAsync(withCommand(args), { from: "user" });
    return exitCode;
  } catch (error) {
    return explain(error);
  }
}

/** Flags alone are those of `serve`. A word is always a command's name, so that a wrong one is told as that. */
function withCommand(args: readonly string[]): string[] {
  const [first] = args;
  const isServe = first === undefined || (first.startsWith("-") && first !== "-h" && first !== "--help");
  return isServe ? ["serve", ...args] : [...args];
}

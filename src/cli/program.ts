/** The program as commander knows it: every command with its flags, its help and its examples. */

import { Command } from "commander";
import { isColorWanted } from "../config.ts";
import { commands, type End } from "./commands.ts";
import { helpStyle } from "./help.ts";

export function createProgram(end: End): Command {
  const program = new Command("throughline")
    .description("Tasks over HTTP, run on worker threads, every task one trace")
    .configureOutput({
      // Told by `explain`, with all else that is wrong.
      outputError: () => {},
      getOutHasColors: () => isColorWanted(process.stdout.isTTY),
      getErrHasColors: () => isColorWanted(process.stderr.isTTY),
    })
    .configureHelp(helpStyle)
    .addHelpText("after", "\n`throughline help task submit` tells all of a command, with examples.")
    .exitOverride();
  for (const [heading, adders] of commands) {
    program.commandsGroup(heading);
    for (const add of adders) add(program, end);
  }
  return program.helpCommand("help [command...]", "all about a command");
}

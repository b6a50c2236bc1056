/** The program as commander knows it: every command with its flags, its help and its examples. */

import { Command, type HelpConfiguration } from "commander";
import { isColorWanted } from "../config.ts";
import { createPaint, styles } from "../terminal/style.ts";
import { productVersion } from "../version.ts";
import { addBackup } from "./backup.ts";
import { addCompletion } from "./completion.ts";
import { addDemo } from "./demo.ts";
import { addDev } from "./dev.ts";
import { addDlq } from "./dlq.ts";
import { addDoctor } from "./doctor.ts";
import { type AddCommand, type End, withExamples } from "./flags.ts";
import { addInit } from "./init.ts";
import { addKey } from "./key.ts";
import { addSchedule } from "./schedule.ts";
import { addServe } from "./serve.ts";
import { addConfig, addHealth, addSetup } from "./settings.ts";
import { addTask } from "./task.ts";
import { addTest } from "./test.ts";
import { addTrace } from "./trace.ts";
import { addVerify } from "./verify.ts";

const addVersion: AddCommand = (program) => {
  const command = program
    .command("version")
    .description("the version")
    .action(() => {
      process.stdout.write(`${productVersion}\n`);
    });
  withExamples(command, ["throughline version", "nothing else on the line"]);
};

const addOpenApi: AddCommand = (program) => {
  const command = program
    .command("openapi")
    .description("the HTTP API as OpenAPI 3.1, in JSON")
    .action(async () => {
      const [{ describeApi }, { allRoutes }] = await Promise.all([
        import("../gateway/openapi.ts"),
        import("../gateway/routes.ts"),
      ]);
      process.stdout.write(`${JSON.stringify(describeApi(allRoutes), null, 2)}\n`);
    });
  withExamples(command, ["throughline openapi > openapi.json", "for a generator of clients"]);
};

/**
 * Every command below its heading, in the order of the help. A command is one file, declaration and action; those of a
 * server's settings share one. Every start of the program loads them all, so an action imports what is heavy itself
 * (store, queue, telemetry, generated code).
 */
const commands: readonly (readonly [heading: string, adders: readonly AddCommand[]])[] = [
  ["Run it:", [addServe, addDemo]],
  ["Write handlers:", [addInit, addDev, addTest]],
  ["Use it:", [addTask, addSchedule, addDlq, addTrace]],
  ["Look after it:", [addDoctor, addVerify, addConfig, addSetup, addBackup, addKey, addHealth]],
  ["Other:", [addOpenApi, addCompletion, addVersion]],
];

export function createProgram(end: End): Command {
  const program = new Command("throughline")
    .description("Tasks over HTTP, run on worker threads, every task one trace")
    .configureOutput({
      // `explain` prints it, with everything else that is wrong.
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

/** Commander removes the colour where none is wanted. */
const paint = createPaint(true);

const helpStyle: HelpConfiguration = {
  styleTitle: (title) => paint(styles.bold, title),
  // Without "[options]", which would stand behind every command.
  subcommandTerm: (command) => {
    const words = command.registeredArguments.map((argument) => {
      const name = argument.name() + (argument.variadic ? "..." : "");
      return argument.required ? `<${name}>` : `[${name}]`;
    });
    return [command.name(), ...words].join(" ");
  },
  showGlobalOptions: false,
};

/** Parses the command line and hands over to one file a command. Gives the exit code: 0, 1, 2 or 70. */

import { Command, CommanderError } from "commander";
import { ConfigError, fallbackOf, flagOf, meaningOf, readConfig, type SettingName, settingNames } from "../config.ts";
import { TaskError, toFailure } from "../errors.ts";
import { productVersion } from "../version.ts";
import { askReady } from "./ask-ready.ts";
import { runDemo } from "./demo.ts";
import { runDoctor } from "./doctor.ts";
import { exitCodes } from "./exit-codes.ts";
import { serve } from "./serve.ts";
import { setUp } from "./setup.ts";
import { showConfig } from "./show-config.ts";

export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = new Command("throughline")
    .description("Tasks over HTTP, run on worker threads, every task one trace")
    .showHelpAfterError("(throughline help shows what there is)")
    .exitOverride();

  withSettings(program.command("serve", { isDefault: true }))
    .description("run roles until a signal (also with no command)")
    .action(async (flags: Flags) => {
      exitCode = await serve(readConfig(flags).config);
    });
  withSettings(program.command("demo"))
    .description("all roles on embedded parts in a temporary folder; submits ten tasks and shows their traces")
    .option("--once", "exit when the ten tasks have ended; 0 only if all ended as scripted")
    .action(async ({ once, ...flags }: Flags & { once?: boolean }) => {
      exitCode = await runDemo(flags, once ?? false);
    });
  withSettings(program.command("setup"))
    .description("make the table and the queues of the settings where they do not exist")
    .action((flags: Flags) => setUp(readConfig(flags).config));
  withSettings(program.command("config"))
    .description("the settings in force, and where each came from")
    .option("--json", "as JSON")
    .action(({ json, ...flags }: Flags & { json?: boolean }) => showConfig(readConfig(flags).rows, json ?? false));
  withSettings(program.command("doctor"))
    .description("looks at everything that these settings need, and says what is wrong and how to mend it")
    .option("--json", "as JSON")
    .action(async ({ json, ...flags }: Flags & { json?: boolean }) => {
      exitCode = await runDoctor(readConfig(flags).config, json ?? false);
    });
  withSettings(program.command("health"))
    .description("whether the process with these settings is ready: 0 when it is (for container engines)")
    .action((flags: Flags) => askReady(readConfig(flags).config));
  program
    .command("version")
    .description("the version")
    .action(() => {
      process.stdout.write(`${productVersion}\n`);
    });

  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    return explain(error);
  }
}

type Flags = Partial<Record<SettingName, string>>;

function withSettings(command: Command): Command {
  for (const name of settingNames) {
    const fallback = fallbackOf(name);
    command.option(`${flagOf(name)} <value>`, fallback === "" ? meaningOf(name) : `${meaningOf(name)} (${fallback})`);
  }
  return command;
}

/** What went wrong, in words on stderr, and the exit code that says whose fault it was. */
function explain(error: unknown): number {
  // Commander has already printed its own.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof ConfigError || (error instanceof TaskError && error.code === "invalid_argument")) {
    for (const problem of error.message.split("\n")) process.stderr.write(`throughline: ${problem}\n`);
    return exitCodes.usage;
  }
  const failure = toFailure(error);
  if (error instanceof TaskError && error.code !== "internal") {
    process.stderr.write(`throughline: ${failure.message}\n`);
    return exitCodes.failed;
  }
  process.stderr.write(`throughline: internal error: ${failure.stack ?? failure.message}\n`);
  return exitCodes.internal;
}

/**
 * `throughline dev`: all roles, and handlers that are loaded again whenever they change. On a terminal its log is lines
 * for people; elsewhere it is that of `serve`.
 */

import { isColorWanted, readConfig } from "../config.ts";
import { createPaint } from "../terminal/style.ts";
import { TaskError } from "../words/errors.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";
import { onFreePorts, serve } from "./serve.ts";

export const addDev: AddCommand = (program, end) => {
  const dev = withSettings(program.command("dev"))
    .description("run everything, and load the handlers again whenever one of their files changes")
    .action(async (flags: SettingFlags) => end(await runDev(flags)));
  withExamples(
    dev,
    ["throughline dev", "the handlers in ./handlers"],
    ["throughline dev --handlers my-tasks/handlers --log-level debug", "others, and also what they log as debug"],
  );
};

async function runDev(flags: SettingFlags): Promise<number> {
  const { config, rows } = readConfig(flags);
  if (config.handlers === undefined) {
    throw new TaskError(
      "invalid_argument",
      "there is no folder ./handlers: throughline init makes one, --handlers names another",
    );
  }
  const watching = { ...(await onFreePorts(config, rows)), watchesHandlers: true };
  const { isTTY: isTerminal = false } = process.stdout;
  if (!isTerminal) return serve(watching);
  const { toDevLines } = await import("./dev-lines.ts");
  const show = { paint: createPaint(isColorWanted(isTerminal)), folder: config.handlers };
  return serve(watching, (lines) =>
    lines
      .trimEnd()
      .split("\n")
      .flatMap((line) => toDevLines(line, show).map((text) => `${text}\n`))
      .join(""),
  );
}

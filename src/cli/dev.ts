/**
 * `throughline dev`: all roles, and handlers that are loaded again whenever they change. On a terminal its log is lines
 * for people; elsewhere it is that of `serve`.
 */

import { isColorWanted, readConfig } from "../config.ts";
import { createPaint } from "../terminal/style.ts";
import { TaskError } from "../words/errors.ts";
import { toDevLines } from "./dev-lines.ts";
import type { SettingFlags } from "./flags.ts";
import { onFreePorts } from "./free-ports.ts";
import { serve } from "./serve.ts";

export async function runDev(flags: SettingFlags): Promise<number> {
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
  const show = { paint: createPaint(isColorWanted(isTerminal)), folder: config.handlers };
  return serve(watching, (lines) =>
    lines
      .trimEnd()
      .split("\n")
      .flatMap((line) => toDevLines(line, show).map((text) => `${text}\n`))
      .join(""),
  );
}

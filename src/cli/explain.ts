/** The command line's one catch: what went wrong, in words on stderr, and the exit code that says whose fault it was. */

import { CommanderError } from "commander";
import { ConfigError } from "../config.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { exitCodes } from "./exit-codes.ts";

export function explain(error: unknown): number {
  // Commander has already printed its own.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof ConfigError || (error instanceof TaskError && error.code === "invalid_argument")) {
    tell(error.message);
    return exitCodes.usage;
  }
  // Another program's fault is told by that program: here the command has failed, no more.
  if (error instanceof TaskError && (error.isRemote || error.code !== "internal")) {
    tell(error.message);
    return exitCodes.failed;
  }
  const failure = toFailure(error);
  tell(`internal error: ${failure.stack ?? failure.message}`);
  return exitCodes.internal;
}

/** Each line says whose it is. A stack stays in one piece. */
function tell(message: string): void {
  const lines = message.startsWith("internal error: ") ? [message] : message.split("\n");
  for (const line of lines) process.stderr.write(`throughline: ${line}\n`);
}

/** Looks whether every handler file loads, on a thread as a worker does it: a file may end its thread, or never yield. */

import type { Config } from "../../config.ts";
import { toTaskError } from "../../errors.ts";
import { startSlot } from "../../worker/slot.ts";
import { type Finding, failed, ok } from "./finding.ts";

export async function lookAtHandlers(config: Config): Promise<Finding[]> {
  const ignore = (): void => {};
  const slot = startSlot(1, config, {
    onSpans: ignore,
    onLog: ignore,
    onAttemptEnded: ignore,
    onOverdue: ignore,
    onAnswer: ignore,
    onSilence: ignore,
    onExit: ignore,
  });
  try {
    const types = (await slot.loaded).map(({ type }) => type);
    return [ok("handlers", `${types.join(", ")}, from ${config.handlers ?? "the built-in ones alone"}`)];
  } catch (thrown) {
    const error = toTaskError(thrown);
    if (error.code !== "invalid_argument") throw error;
    const mend = "mend the file: a worker does not start with it";
    return error.message.split("\n").map((problem) => failed("handlers", problem, mend));
  } finally {
    slot.close();
  }
}

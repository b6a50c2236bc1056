/**
 * Looks whether every handler file loads, on a thread as a worker does it, since a file may end its thread or never yield;
 * and whether tasks wait for a handler that is not among them.
 */

import type { Config } from "../../config.ts";
import { findLiveTypes } from "../../store/open-store.ts";
import { toTaskError } from "../../words/errors.ts";
import { handlerFiles } from "../../worker/handlers/handler-files.ts";
import { startSlot } from "../../worker/threads/slot.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

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
    const found = ok("handlers", `${types.join(", ")}, from ${config.handlers ?? "the built-in ones alone"}`);
    return [found, ...passedOver(config), ...(await lookAtWaiting(config, (type) => types.includes(type)))];
  } catch (thrown) {
    const error = toTaskError(thrown);
    if (error.code !== "invalid_argument") throw error;
    const mend = "mend the file: a worker does not start with it";
    return error.message.split("\n").map((problem) => failed("handlers", problem, mend));
  } finally {
    slot.close();
  }
}

/** A store that cannot be asked has a finding of its own. */
async function lookAtWaiting(config: Config, isHandled: (type: string) => boolean): Promise<Finding[]> {
  const missing = await findLiveTypes(config, (type) => !isHandled(type)).catch(() => []);
  if (missing.length === 0) return [];
  const detail = `tasks wait for handlers that are not among them: ${missing.map((type) => `"${type}"`).join(", ")}`;
  const mend = "give a worker these handlers; else the tasks are dead after --handler-wait";
  return [warn("task types", detail, mend)];
}

function passedOver({ handlers: folder }: Config): Finding[] {
  if (folder === undefined) return [];
  const { passedOver: names } = handlerFiles(folder);
  return names.length === 0 ? [] : [ok("handlers", `passed over, as no handler files: ${names.join(", ")}`)];
}

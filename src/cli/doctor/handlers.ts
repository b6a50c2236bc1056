/** Looks whether every handler file loads. */

import type { Config } from "../../config.ts";
import { HandlerError, loadHandlers } from "../../worker/handlers.ts";
import { type Finding, failed, ok } from "./finding.ts";

export async function lookAtHandlers(config: Config): Promise<Finding[]> {
  try {
    const handlers = await loadHandlers(config);
    return [ok("handlers", `${[...handlers.keys()].join(", ")}, from ${config.handlers ?? "the built-in ones alone"}`)];
  } catch (error) {
    if (!(error instanceof HandlerError)) throw error;
    return error.problems.map((problem) =>
      failed("handlers", problem, "mend the file: a worker does not start with it"),
    );
  }
}

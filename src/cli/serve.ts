/** `throughline serve`: runs roles until a signal. The first one drains, the second aborts. */

import type { Config } from "../config.ts";
import { widenFetchPlaces } from "../fetch-places.ts";
import { type System, startSystem } from "../supervisor.ts";
import type { WriteLine } from "../telemetry/log.ts";
import { exitCodes } from "./exit-codes.ts";
import { stopSignal } from "./stop-signal.ts";

/** `writeLine` gets the log lines, JSON, each with its line break. */
export async function serve(
  config: Config,
  writeLine: WriteLine = (line) => process.stdout.write(line),
): Promise<number> {
  if (config.role.includes("worker")) widenFetchPlaces();
  let system: System | undefined;
  const givenUp = Promise.withResolvers<undefined>();
  // Before the start: a signal that comes with the ready line, or earlier, drains as any other. The second one ends a
  // start that may take for ever.
  const stopped = stopSignal(() => (system ? system.abort() : givenUp.resolve(undefined)));
  system = await Promise.race([startSystem(config, writeLine), givenUp.promise]);
  if (!system) return exitCodes.failed;
  const isLost = await Promise.race([stopped.then(() => false), system.lost.then(() => true)]);
  // What still runs could not be brought to an end.
  if (isLost) system.abort();
  await system.drain();
  return isLost ? exitCodes.internal : exitCodes.done;
}

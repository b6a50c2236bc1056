/** `throughline serve`: runs roles until a signal. The first one drains, the second aborts. */

import type { Config } from "../config.ts";
import { reapOrphans } from "../host/orphans.ts";
import { takeStdout } from "../host/stdout.ts";
import { keepSettingsOffProxies } from "../http/fetch.ts";
import { type System, startSystem } from "../supervisor.ts";
import { exitCodes } from "./exit-codes.ts";
import { createLogOutput, type LogOutput } from "./log-output.ts";
import { logLimitMs } from "./output.ts";
import { stopSignal } from "./stop-signal.ts";

/** Makes what is written of log lines: JSON, each with its line break. */
type ShowLines = (lines: string) => string;

export async function serve(config: Config, show: ShowLines = (lines) => lines): Promise<number> {
  keepSettingsOffProxies(config);
  await reapOrphans();
  const stdout = await takeStdout();
  const output = createLogOutput(stdout, (sentence) => process.stderr.write(`throughline: ${sentence}\n`));
  try {
    return await run(config, output, show);
  } finally {
    await output.end(logLimitMs);
  }
}

async function run(config: Config, output: LogOutput, show: ShowLines): Promise<number> {
  let system: System | undefined;
  const givenUp = Promise.withResolvers<undefined>();
  // Before the start: a signal that comes with the ready line, or earlier, drains as any other. The second one ends a
  // start that may take for ever.
  const stopped = stopSignal(() => (system ? system.abort() : givenUp.resolve(undefined)));
  const starting = startSystem(config, (lines) => output.write(show(lines)), { losses: output });
  system = await Promise.race([starting, givenUp.promise]);
  if (!system) return exitCodes.failed;
  const isLost = await Promise.race([stopped.then(() => false), system.lost.then(() => true)]);
  // What still runs could not be brought to an end.
  if (isLost) system.abort();
  await system.drain();
  return isLost ? exitCodes.internal : exitCodes.done;
}

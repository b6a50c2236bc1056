/** `throughline serve`: runs roles until a signal. The first one drains, the second aborts. */

import { type Config, readConfig, type SettingName, type SettingRow } from "../config.ts";
import { reapOrphans } from "../host/orphans.ts";
import { takeStdout } from "../host/stdout.ts";
import { keepSettingsOffProxies } from "../http/fetch.ts";
import { listen } from "../http/listen.ts";
import type { System } from "../supervisor.ts";
import { exitCodes, logLimitMs, stopSignal } from "./exit.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";
import { createLogOutput, type LogOutput } from "./log-output.ts";

export const addServe: AddCommand = (program, end) => {
  const command = program.command("serve").description("run roles until a signal (also with no command)");
  withSettings(command).action(async (flags: SettingFlags) => {
    end(await serve(readConfig(flags).config));
  });
  withExamples(
    command,
    ["throughline serve", "all roles, on this machine"],
    ["throughline --gateway-listen=127.0.0.1:9000 --handlers=./handlers", "flags alone are those of serve"],
    ["throughline --role=worker --queue=sqs", "one role, beside others in processes of their own"],
  );
};

/** Turns log lines, JSON with a line break each, into what is written. */
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
  const { startSystem } = await import("../supervisor.ts");
  const starting = startSystem(config, (lines) => output.write(show(lines)), { losses: output });
  system = await Promise.race([starting, givenUp.promise]);
  if (!system) return exitCodes.failed;
  const isLost = await Promise.race([stopped.then(() => false), system.lost.then(() => true)]);
  // What still runs could not be stopped.
  if (isLost) system.abort();
  await system.drain();
  return isLost ? exitCodes.internal : exitCodes.done;
}

/** With a free port for each default address that is taken: `demo` and `dev` start beside another system. */
export async function onFreePorts(config: Config, rows: readonly SettingRow[]): Promise<Config> {
  const isGiven = (name: SettingName): boolean => rows.some((row) => row.name === name && row.source !== "default");
  const chosen = { ...config };
  for (const name of ["gatewayListen", "taskServiceListen", "grpcListen", "adminListen", "consoleListen"] as const) {
    const address = config[name];
    if (!address || isGiven(name) || (await isFree(address))) continue;
    chosen[name] = { ...address, port: 0 };
  }
  return chosen;
}

async function isFree(address: Config["gatewayListen"]): Promise<boolean> {
  try {
    const listener = await listen(address, () => new Response());
    await listener.stop(0);
    return true;
  } catch {
    return false;
  }
}

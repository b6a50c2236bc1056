/** `throughline health`: whether the process with these settings is ready, for an engine that can only run commands. */

import { type Config, readConfig } from "../config.ts";
import { urlOf } from "../http/listen.ts";
import { TaskError } from "../words/errors.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";

export const addHealth: AddCommand = (program) => {
  const command = program
    .command("health")
    .description("whether the process with these settings is ready: 0 when it is (for container engines)");
  withSettings(command).action((flags: SettingFlags) => askReady(readConfig(flags).config));
  withExamples(command, ["throughline health", "of a process on this machine with the same settings"]);
};

/** Short: a container engine asks again. */
const answerLimitMs = 2000;

/** A process that listens on every address of the machine is asked on loopback. */
const ownAddresses: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Asks the admin address of the settings. Rejects with `TaskError` `unavailable` unless the process there is ready. */
async function askReady({ adminListen: { host, port } }: Pick<Config, "adminListen">): Promise<void> {
  const url = `${urlOf({ host: ownAddresses[host] ?? host, port })}/health/ready`;
  const status = await statusOf(url);
  if (status !== 200) throw new TaskError("unavailable", `${url} answered ${status}: not ready`);
}

async function statusOf(url: string): Promise<number> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) });
    await answer.body?.cancel();
    return answer.status;
  } catch (cause) {
    throw new TaskError("unavailable", `${url} does not answer`, { cause });
  }
}

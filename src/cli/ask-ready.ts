/** `throughline health`: whether the process with these settings is ready, for what can only run a command to know. */

import type { Config } from "../config.ts";
import { urlOf } from "../http/listen.ts";
import { TaskError } from "../words/errors.ts";

/** A container engine repeats the question; one that waits for long is as good as a no. */
const answerLimitMs = 2000;

/** Listening on them means every address of the machine; asking goes to its own. */
const ownAddresses: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Asks the admin address of the settings. Rejects with `TaskError` `unavailable` unless the process there is ready. */
export async function askReady({ adminListen: { host, port } }: Pick<Config, "adminListen">): Promise<void> {
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

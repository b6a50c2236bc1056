/** The compiled executable twice: one that serves, for the tests of a file, and the commands that talk to it. */

import { afterAll, beforeAll } from "bun:test";
import { type EndedCommand, runThroughline } from "./command.ts";
import { type HttpApi, httpApi } from "./http-api.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "./process.ts";
import { tempFolder } from "./temp-folder.ts";

const startingMs = 180_000;

export interface Served {
  url(): string;
  /** By their names on the ready line: `console_url`. */
  address(name: string): string;
  api(): HttpApi;
  /** `throughline …`, told by its variable where the server is. */
  run(args: readonly string[], options?: { env?: Record<string, string>; stdin?: string }): Promise<EndedCommand>;
}

/** Starts the one that serves before the first test and stops it after the last. */
export function servedExecutable(...flags: readonly string[]): Served {
  const cleanup = new AsyncDisposableStack();
  let serving: ThroughlineProcess | undefined;
  beforeAll(async () => {
    const folder = cleanup.use(await tempFolder());
    const args = [...freePorts, `--data-dir=${folder.path}`, "--retry-base=20ms", "--retry-cap=50ms", ...flags];
    serving = cleanup.use(await startThroughline(args));
  }, startingMs);
  afterAll(() => cleanup.disposeAsync(), startingMs);
  const addressOf = (name: string): string => {
    const address = serving?.addresses[name];
    if (address === undefined) throw new Error(`the executable has no ${name}, or does not serve yet`);
    return address;
  };
  const url = (): string => addressOf("gateway_url");
  return {
    url,
    address: addressOf,
    api: () => httpApi(url()),
    run: (args, { env = {}, stdin } = {}) => runThroughline(args, { THROUGHLINE_URL: url(), ...env }, stdin),
  };
}

/** `bun run fuzz [SECONDS] [SEED]`: schemathesis against a system of its own, for ten minutes unless told. */

import { startTestSystem } from "../support/system.ts";
import { tryApi } from "./schemathesis.ts";

if (import.meta.main) {
  const [seconds = "600", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
  await using running = await startTestSystem();
  const { exitCode, output } = await tryApi({ url: running.url, seconds: Number(seconds), seed: Number(seed) });
  process.stdout.write(output);
  process.exitCode = exitCode;
}

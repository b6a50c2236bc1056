/** A task that takes its whole process down with it, again and again, and the tasks that run beside it. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { projectFolder } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const timeoutMs = 120_000;
const handlers = join(projectFolder, "tests/fixtures/lease-handlers");

test(
  "a task that ends its process ends dead, because it never finished; those beside it succeed",
  async () => {
    await using folder = await tempFolder();
    const args = [
      `--data-dir=${folder.path}`,
      `--handlers=${handlers}`,
      "--visibility-timeout=2s",
      "--threads=1",
      ...freePorts,
    ];
    const ids: string[] = [];
    let fates: HttpTask[] = [];
    // Two attempts, each the end of a process; the third start finds both, and attempts no more.
    for (let start = 1; start <= 3; start++) {
      await using running = await startThroughline(args);
      const api = httpApi(running.addresses.gateway_url);
      if (start === 1) {
        for (let n = 0; n < 3; n++) ids.push((await api.submit({ type: "sleep", payload: { ms: 1000 } })).id);
        ids.push((await api.submit({ type: "kill", max_attempts: 2 })).id);
      }
      if (start < 3) expect(await running.exited).not.toBe(0);
      else fates = await Promise.all(ids.map((id) => api.ended(id)));
    }
    const killer = fates.pop();
    expect(killer).toMatchObject({
      status: "dead",
      attempt: 2,
      error: { type: "never_finished", message: "attempt 2 never finished" },
    });
    expect(killer?.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
      [1, "crashed"],
      [2, "crashed"],
    ]);
    expect(fates.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
  },
  timeoutMs,
);

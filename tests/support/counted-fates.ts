/** One task of every fate, and what the metrics must count of them: telemetry.md, section 6. */

import { deadLettersAt } from "./dead-letters.ts";
import { eventually } from "./eventually.ts";
import { startGate } from "./gate.ts";
import { httpApi } from "./http-api.ts";
import { schedulesAt } from "./schedules.ts";

/** Settings under which `runFates` has the counts that it promises: one thread, and a cancel that is soon heard of. */
export const fateFlags = { threads: "1", visibilityTimeout: "2s", retryBase: "1ms" } as const;

/** Runs them one after the other; resolves when each has ended. */
export async function runFates(gatewayUrl: string | undefined): Promise<void> {
  const api = httpApi(gatewayUrl);
  const run = async (body: object): Promise<string> => (await api.ended((await api.submit(body)).id)).id;
  const cancel = (id: string): Promise<Response> => fetch(`${gatewayUrl}/v1/tasks/${id}/cancel`, { method: "POST" });

  await run({ type: "echo" });
  await run({ type: "echo" });
  await run({ type: "flaky", payload: { failures: 1 } });
  await run({ type: "sleep", payload: { ms: 600_000 }, timeout: "100ms", max_attempts: 1 });
  await runBesideCrash(gatewayUrl);

  const dead = await run({ type: "fail", payload: { fatal: true } });
  await deadLettersAt(gatewayUrl).redriven({ ids: [dead] });
  await api.ended(dead);

  const { id: waits } = await api.submit({ type: "echo", delay: "1h" });
  await cancel(waits);
  const { id: runs } = await api.submit({ type: "sleep", payload: { ms: 600_000 } });
  await eventually(async () => (await api.task(runs)).status === "running");
  await cancel(runs);
  await api.ended(runs);
  await fetch(`${gatewayUrl}/v1/tasks/nothing`);
  await api.ended(await schedulesAt(gatewayUrl).runOnce({ type: "echo" }));
}

/** A crash takes down the thread that both share; then each runs alone, and the crash has its culprit. */
async function runBesideCrash(gatewayUrl: string | undefined): Promise<void> {
  const api = httpApi(gatewayUrl);
  await using gate = startGate();
  const { id: beside } = await api.submit(gate.task());
  await gate.held(1);
  const { id: crash } = await api.submit({ type: "crash", max_attempts: 1 });
  const isInterrupted = async (id: string): Promise<boolean> =>
    (await api.task(id)).attempts.some(({ outcome }) => outcome === "interrupted");
  await eventually(async () => (await isInterrupted(beside)) && (await isInterrupted(crash)));
  gate.open();
  await Promise.all([api.ended(beside), api.ended(crash)]);
}

type Counts = Record<string, Record<string, number>>;

/** `tasks_processed_total`: by `status`, then by `task_type`. */
export const processedOfFates: Counts = {
  submitted: { echo: 4, flaky: 1, sleep: 2, http: 1, crash: 1, fail: 1 },
  succeeded: { echo: 3, flaky: 1, http: 1 },
  failed: { flaky: 1, sleep: 1, crash: 1, fail: 2 },
  retried: { flaky: 1 },
  dead: { sleep: 1, crash: 1, fail: 2 },
  canceled: { echo: 1, sleep: 1 },
};

/** `task_attempts_total`: by `outcome`, then by `task_type`. */
export const attemptsOfFates: Counts = {
  succeeded: { echo: 3, flaky: 1, http: 1 },
  failed: { flaky: 1, fail: 2 },
  timed_out: { sleep: 1 },
  crashed: { crash: 1 },
  interrupted: { http: 1, crash: 1 },
  canceled: { sleep: 1 },
};

/** `tasks_dead_total`: by `reason`, then by `task_type`. */
export const deadOfFates: Counts = {
  attempts_exhausted: { sleep: 1, crash: 1 },
  fatal: { fail: 2 },
};

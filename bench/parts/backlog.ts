/** Whether a task costs more when many others wait. */

import { availableParallelism } from "node:os";
import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { type Ready, startContestant, submitAll, untilRun } from "../round.ts";
import type { Context, Part } from "../section.ts";
import { ratios, summary } from "../statistics.ts";
import { judge } from "../targets.ts";

/** Of POST /v1/tasks/batch. */
const mostInBatch = 1000;

/** `--thread-concurrency`. */
const seatsOfThread = 16;

export const backlog: Part = {
  name: "backlog",
  run: async (context) => {
    const { plan } = context;
    const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
    await using ready = await startContestant(throughline, true, warmUp);
    const rates = new Map<number, number[]>(plan.backlogs.map((size) => [size, []]));
    for (let round = 0; round < Math.ceil(plan.rounds / 2); round++) {
      for (const size of plan.backlogs) rates.get(size)?.push(await rateBehind(ready, size, context));
    }
    const toEmpty = (size = 0): number[] => ratios(rates.get(size), rates.get(0));
    const largest = plan.backlogs.at(-1);
    return {
      title: "A backlog",
      how: `While all seats of the handlers are held, a backlog is submitted; then they are freed, and ${plan.tasks} more are submitted by ${usualConnections} connections. The rate is of as many tasks: until they were accepted, and as many were run. Everything that waits is run in the end.`,
      tables: [
        {
          columns: ["tasks waiting", "tasks/s", "to none waiting"],
          rows: [...rates].map(([size, values]) => [String(size), summary(values), summary(toEmpty(size))]),
        },
      ],
      targets: [judge("backlog", toEmpty(largest), `${largest} waiting`)],
    };
  },
};

async function rateBehind(ready: Ready, size: number, { plan, say }: Context): Promise<number> {
  const { name, running, done } = ready;
  say(`${plan.tasks} tasks behind ${size}`);
  const tasks = done.begin(size + plan.tasks);
  if (size > 0) await holdSeats(ready);
  for (let first = 0; first < size; first += mostInBatch) {
    await submitBatch(running.url, first, Math.min(mostInBatch, size - first));
  }
  done.openGate();
  const load = await submitAll({ url: running.url, first: size, tasks: plan.tasks, connections: usualConnections });
  if (load.accepted !== plan.tasks) throw new Error(`${name}: not accepted: ${JSON.stringify(load.refused)}`);
  await untilRun(name, tasks, size + plan.tasks);
  const nthAtMs = tasks.startedAtMs.toSorted()[plan.tasks - 1] ?? Number.NaN;
  return plan.tasks / Math.max(load.seconds, (nthAtMs - load.startedAtMs) / 1000);
}

/** Takes every seat with a task that waits for the gate. */
async function holdSeats({ running, done }: Ready): Promise<void> {
  const seats = availableParallelism() * seatsOfThread;
  const body = JSON.stringify({ type: "hold", payload: { gateUrl: done.gateUrl } });
  const headers = { "content-type": "application/json" };
  for (let n = 0; n < seats; n++) {
    const answer = await fetch(running.url, { method: "POST", headers, body });
    if (answer.status !== 202) throw new Error(`no seat is held: ${answer.status} ${await answer.text()}`);
  }
  while (done.held() < seats) await Bun.sleep(10);
}

async function submitBatch(url: string, first: number, count: number): Promise<void> {
  const at = performance.timeOrigin + performance.now();
  const items = Array.from({ length: count }, (_, n) => ({ type: "bench", payload: { n: first + n, at } }));
  const answer = await fetch(`${url}/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(items),
  });
  if (answer.status !== 207) throw new Error(`no backlog: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

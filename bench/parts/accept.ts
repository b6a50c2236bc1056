/** Accepts that are on the disk when they are answered, against one commit for each request. */

import { Database } from "bun:sqlite";
import { commitPerRequest, throughline } from "../contestants.ts";
import { interleave } from "../line-up.ts";
import { type Ready, startContestant, submitAll } from "../round.ts";
import type { Part } from "../section.ts";
import { ratios, summary } from "../statistics.ts";
import { judge, type Target } from "../targets.ts";

const connections = [1, 8, 32, 128];

export const accept: Part = {
  name: "accept",
  run: async ({ plan, say }) => {
    await using stack = new AsyncDisposableStack();
    const all: Ready[] = [];
    for (const contestant of [throughline, commitPerRequest]) {
      const ready = stack.use(await startContestant(contestant, false, { tasks: 0, connections: 1 }));
      await acceptAll(ready, plan.warmUpTasks, 32);
      all.push(ready);
    }
    const rows: string[][] = [];
    const targets: Target[] = [];
    for (const count of connections) {
      say(`accepts by ${count} connections`);
      const tasks = count === 1 ? Math.ceil(plan.accepts / 10) : plan.accepts;
      const rates = await interleave(all, plan.rounds, (ready) => acceptAll(ready, tasks, count));
      const toCommits = ratios(rates.get(throughline.name), rates.get(commitPerRequest.name));
      for (const [name, values] of rates) {
        rows.push([name, String(count), summary(values), name === throughline.name ? summary(toCommits) : ""]);
      }
      if (count === 128) targets.push(judge("acceptsToCommits", toCommits, `${count} connections`));
    }
    return {
      title: "Durable accepts",
      how: "Tasks of an hour's time are submitted untraced and answered 202 once they are on the disk; afterwards the database is asked whether each is there. The other contestant is a bare server that commits each request to SQLite, with the same settings.",
      tables: [{ columns: ["contestant", "connections", "accepts/s", "to the other's"], rows }],
      targets,
    };
  },
};

/** Resolves to accepts a second; rejects unless each was answered 202 and is in the database. */
async function acceptAll({ name, running }: Ready, tasks: number, connections: number): Promise<number> {
  if (tasks === 0) return 0;
  const before = stored(running.database);
  const load = await submitAll({ url: running.url, tasks, connections, delay: "1h" });
  const there = stored(running.database) - before;
  if (load.accepted !== tasks || there !== tasks) {
    throw new Error(`${name}: of ${tasks} tasks ${load.accepted} were accepted, and ${there} are on the disk`);
  }
  return tasks / load.seconds;
}

function stored(file = ""): number {
  using database = new Database(file, { readonly: true });
  return database.query<{ tasks: number }, []>("SELECT count(*) AS tasks FROM tasks").get()?.tasks ?? 0;
}

/** From the start to ready, and what an idle system keeps. */

import { stat } from "node:fs/promises";
import { compiledExecutable } from "../../tests/support/executable.ts";
import { type Contestant, throughline, throughlineWith } from "../contestants.ts";
import { costOf } from "../process-cost.ts";
import { startContestant } from "../round.ts";
import type { Part } from "../section.ts";
import { figure, summary } from "../statistics.ts";
import { judge } from "../targets.ts";

/** Until what only the start needs has gone. */
const settleMs = 2000;

const withConsole = throughlineWith("Throughline with its console", ["--role=all"]);

export const start: Part = {
  name: "start",
  run: async ({ plan, say }) => {
    const starts: [Measured, Measured] = [
      { name: "the roles that tasks need", starts: await measure(throughline) },
      { name: "all roles, the console too", starts: await measure(withConsole) },
    ];
    const { size } = await stat(await compiledExecutable());
    return {
      title: "Start, and nothing to do",
      how: `The compiled executable, from the call that starts it until its ready line; memory and CPU within ${settleMs / 1000} s after it.`,
      tables: [
        {
          columns: ["", "measured"],
          rows: [
            ...starts.flatMap(({ name, starts: { readyMs, idleMb, idleCores } }) => [
              [`${name}: ready after, ms`, summary(readyMs)],
              [`${name}: resident, idle, MB`, summary(idleMb)],
              [`${name}: CPU, idle, % of a core`, summary(idleCores.map((share) => share * 100))],
            ]),
            ["executable, MB", figure(size / 1e6)],
          ],
        },
      ],
      targets: [judge("ready", starts[0].starts.readyMs), judge("idleMemory", starts[0].starts.idleMb)],
    };

    async function measure(contestant: Contestant): Promise<Starts> {
      const measured: Starts = { readyMs: [], idleMb: [], idleCores: [] };
      for (let n = 0; n < plan.starts; n++) {
        say("a start");
        await using ready = await startContestant(contestant, true, { tasks: 0, connections: 1 });
        measured.readyMs.push(ready.running.startMs);
        const before = costOf(ready.running.pids);
        await Bun.sleep(settleMs);
        const after = costOf(ready.running.pids);
        measured.idleMb.push(after.rssBytes / 1e6);
        measured.idleCores.push(((after.cpuSeconds - before.cpuSeconds) / settleMs) * 1000);
      }
      return measured;
    }
  },
};

interface Measured {
  name: string;
  starts: Starts;
}

interface Starts {
  readyMs: number[];
  idleMb: number[];
  /** Cores in use. */
  idleCores: number[];
}

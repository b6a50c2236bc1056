/** From the start to ready, and what an idle system keeps. */

import { stat } from "node:fs/promises";
import { compiledExecutable } from "../../tests/support/executable.ts";
import { throughline } from "../contestants.ts";
import { costOf } from "../process-tree.ts";
import { startContestant } from "../round.ts";
import { atMost, type Part } from "../section.ts";
import { figure, median, summary } from "../statistics.ts";

/** Until what only the start needs has gone. */
const settleMs = 2000;

export const start: Part = {
  name: "start",
  run: async ({ plan, say }) => {
    const startsMs: number[] = [];
    const idleMb: number[] = [];
    const idleCores: number[] = [];
    for (let n = 0; n < plan.starts; n++) {
      say("a start");
      await using ready = await startContestant(throughline, true, { tasks: 0, connections: 1 });
      startsMs.push(ready.running.startMs);
      const before = costOf(ready.running.pids);
      await Bun.sleep(settleMs);
      const after = costOf(ready.running.pids);
      idleMb.push(after.rssBytes / 1e6);
      idleCores.push(((after.cpuSeconds - before.cpuSeconds) / settleMs) * 1000);
    }
    const { size } = await stat(await compiledExecutable());
    return {
      title: "Start, and nothing to do",
      how: `The compiled executable with all roles, from the call that starts it until its ready line; memory and CPU within ${settleMs / 1000} s after it.`,
      tables: [
        {
          columns: ["", "measured"],
          rows: [
            ["ready after, ms", summary(startsMs)],
            ["resident, idle, MB", summary(idleMb)],
            ["CPU, idle, % of a core", summary(idleCores.map((share) => share * 100))],
            ["executable, MB", figure(size / 1e6)],
          ],
        },
      ],
      targets: [
        atMost("ready < 0.7 s", median(startsMs), 700, (value) => `${figure(value)} ms`),
        atMost("idle < 200 MB", median(idleMb), 200, (value) => `${figure(value)} MB`),
      ],
    };
  },
};

/** Groups of dead letters: what died of the same is one group, which can be listed and brought back as a whole. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { DeadFilter } from "../../../src/store/ports/dead-letters.ts";
import { deadGroupOf } from "../../../src/words/dead-group.ts";
import { redrivesIn } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, type DeathOptions, runToDeath } from "../../support/task-states.ts";

const everything: DeadFilter = { kind: "filter" };
const gone = { errorType: "Gone", message: "order 17 is gone" };
const refused = { errorType: "Refused", message: "421 try later" };

async function kill(tasks: StoredTasks, type: string, atMs: number, death: DeathOptions): Promise<string> {
  const { id } = await tasks.create({ type });
  await runToDeath(tasks, id, atMs, death);
  return id;
}

export function describeDeadGroups(open: OpenStore): void {
  describe("the groups of dead letters", () => {
    test("are by task type and what the error says, the largest first, each with its newest", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const groupsOf = (filter: DeadFilter, limit = 10) => place.store.deadGroups(filter, limit, ROOT_CONTEXT);
      expect(await groupsOf(everything)).toEqual([]);
      await bring(tasks, "failed");
      await kill(tasks, "mail", t0 + 10, gone);
      const middle = await kill(tasks, "mail", t0 + 20, { ...gone, message: "order 18 is gone" });
      const newest = await kill(tasks, "mail", t0 + 40, { ...gone, message: "order 0019 is gone" });
      const other = await kill(tasks, "echo", t0 + 30, gone);
      const { id: given } = await tasks.create({ type: "mail" });
      await tasks.die(given, "receive_limit", t0 + 50);

      const told = async (filter: DeadFilter, limit?: number) =>
        (await groupsOf(filter, limit)).map(({ sample, ...group }) => ({ ...group, sample: sample.task.id }));
      const mail = {
        type: "mail",
        group: deadGroupOf({ type: "Gone", message: "order 1 is gone" }),
        count: 3,
        firstSeenMs: t0 + 10,
        lastSeenMs: t0 + 40,
        sample: newest,
      };
      const lost = {
        type: "mail",
        group: deadGroupOf({ type: "receive_limit", message: "" }),
        count: 1,
        firstSeenMs: t0 + 50,
        lastSeenMs: t0 + 50,
        sample: given,
      };
      const echo = {
        ...mail,
        type: "echo",
        count: 1,
        firstSeenMs: t0 + 30,
        lastSeenMs: t0 + 30,
        sample: other,
      };
      expect(await told(everything)).toEqual([mail, lost, echo]);
      expect(await told(everything, 1)).toEqual([mail]);
      expect(await told({ ...everything, type: "echo" })).toEqual([echo]);
      const until = { ...everything, untilMs: t0 + 25 };
      expect(await told(until)).toEqual([{ ...mail, count: 2, lastSeenMs: t0 + 20, sample: middle }]);
      const [first] = await groupsOf(everything);
      const [letter] = await redrivesIn(place.store).list({ kind: "ids", ids: [newest] });
      expect(first?.sample).toEqual(letter ?? expect.anything());
    });

    test("of one size and one time are in the order of their fingerprints and types", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const deaths = [refused, gone].flatMap((death) => ["b", "a"].map((type) => ({ type, death })));
      for (const { type, death } of deaths) await kill(tasks, type, t0 + 10, death);
      const groups = await place.store.deadGroups(everything, 10, ROOT_CONTEXT);
      const names = groups.map(({ group, type }) => `${group} ${type}`);
      expect(names).toHaveLength(4);
      expect(names).toEqual(names.toSorted());
    });

    test("that was redriven is no more, and is there again when it has died again", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const ids = [await kill(tasks, "mail", t0 + 10, gone), await kill(tasks, "mail", t0 + 20, gone)];
      const other = await kill(tasks, "mail", t0 + 30, refused);
      const group = deadGroupOf({ type: "Gone", message: gone.message });
      const selection = { ...everything, group };
      expect((await redrives.list(selection)).map(({ task }) => task.id)).toEqual([...ids].reverse());
      expect(await redrives.count({ selection })).toEqual({ matched: 2, refused: 0 });
      await redrives.start(t0 + 100, { selection });
      expect(await redrives.run(t0 + 100)).toEqual(ids);
      const left = await place.store.deadGroups(everything, 10, ROOT_CONTEXT);
      expect(left.map(({ sample }) => sample.task.id)).toEqual([other]);
      for (const id of ids) await runToDeath(tasks, id, t0 + 200, refused);
      const again = await place.store.deadGroups(everything, 10, ROOT_CONTEXT);
      expect(again.map(({ count, group: told }) => [count, told])).toEqual([
        [3, deadGroupOf({ type: "Refused", message: refused.message })],
      ]);
    });

    test("and lists and redrives, can be of a time", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const ids: string[] = [];
      for (const n of [1, 2, 3, 4, 5]) ids.push(await kill(tasks, "mail", t0 + n * 10, gone));
      const [, second, third, fourth] = ids;
      const selection = { ...everything, sinceMs: t0 + 20, untilMs: t0 + 40 };
      const listed = await redrives.list(selection);
      expect(listed.map(({ task }) => task.id)).toEqual([fourth ?? "", third ?? "", second ?? ""]);
      const last = listed[0];
      const after = { diedAtMs: last?.diedAtMs ?? 0, id: last?.task.id ?? "" };
      expect((await redrives.list(selection, { after })).map(({ task }) => task.id)).toEqual([
        third ?? "",
        second ?? "",
      ]);
      const [group] = await place.store.deadGroups(selection, 10, ROOT_CONTEXT);
      expect([group?.count, group?.firstSeenMs, group?.lastSeenMs]).toEqual([3, t0 + 20, t0 + 40]);
      await redrives.start(t0 + 100, { selection });
      expect(await redrives.run(t0 + 100, 2)).toEqual([second ?? "", third ?? "", fourth ?? ""]);
    });
  });
}
